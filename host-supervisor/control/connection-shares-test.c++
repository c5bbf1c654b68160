// Which clients a ControlServer turns away.

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <fcntl.h>
#include <kj/async-queue.h>
#include <kj/debug.h>
#include <kj/mutex.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>

#include "control/control-server.h"

namespace bothy {
namespace {

// A connection of any user's.
class UsersStream final: public kj::AsyncCapabilityStream {
public:
  // `isClosed`: as a socket whose other end is closed, to which a write throws at once.
  UsersStream(kj::Own<kj::AsyncCapabilityStream> stream, uid_t user, int& filesMissing,
              bool isClosed)
      : stream(kj::mv(stream)), user(user), filesMissing(filesMissing), isClosed(isClosed) {}

  // Whoever asks makes a copy.
  kj::Maybe<int> getFd() const override {
    if (filesMissing > 0) {
      --filesMissing;
      kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "fcntl: Too many open files"));
    }
    return nullptr;
  }

  void getsockopt(int, int option, void* value, kj::uint*) override {
    KJ_ASSERT(option == SO_PEERCRED);
    *static_cast<ucred*>(value) = {1, user, user};
  }
  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override {
    return stream->tryRead(buffer, minBytes, maxBytes);
  }
  kj::Promise<ReadResult> tryReadWithFds(void* buffer, size_t minBytes, size_t maxBytes,
                                         kj::AutoCloseFd* fdBuffer, size_t maxFds) override {
    return stream->tryReadWithFds(buffer, minBytes, maxBytes, fdBuffer, maxFds);
  }
  kj::Promise<ReadResult> tryReadWithStreams(void*, size_t, size_t, kj::Own<AsyncCapabilityStream>*,
                                             size_t) override {
    KJ_UNIMPLEMENTED("nobody does");
  }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    requireOpen();
    return stream->write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    requireOpen();
    return stream->write(pieces);
  }
  kj::Promise<void> writeWithFds(kj::ArrayPtr<const kj::byte> data,
                                 kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> moreData,
                                 kj::ArrayPtr<const int> fds) override {
    return stream->writeWithFds(data, moreData, fds);
  }
  kj::Promise<void> writeWithStreams(kj::ArrayPtr<const kj::byte>,
                                     kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>,
                                     kj::Array<kj::Own<AsyncCapabilityStream>>) override {
    KJ_UNIMPLEMENTED("nobody does");
  }
  kj::Promise<void> whenWriteDisconnected() override { return stream->whenWriteDisconnected(); }
  void shutdownWrite() override { stream->shutdownWrite(); }
  void abortRead() override { stream->abortRead(); }

private:
  kj::Own<kj::AsyncCapabilityStream> stream;
  const uid_t user;
  int& filesMissing;
  const bool isClosed;

  void requireOpen() {
    if (isClosed) kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "writev: Broken pipe"));
  }
};

class Arrivals final: public kj::ConnectionReceiver {
public:
  int filesMissing = 0;

  // Its end of the connection.
  kj::Own<kj::AsyncCapabilityStream> arrive(uid_t user, bool isClosed = false) {
    auto pipe = kj::newCapabilityPipe();
    arrived.push(kj::heap<UsersStream>(kj::mv(pipe.ends[1]), user, filesMissing, isClosed));
    return kj::mv(pipe.ends[0]);
  }
  kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override { return arrived.pop(); }
  uint getPort() override { return 0; }

private:
  kj::ProducerConsumerQueue<kj::Own<kj::AsyncIoStream>> arrived;
};

// Closes that hang until they are let go.  Their threads may still have it when the process ends.
kj::MutexGuarded<bool>& areLetGo = *new kj::MutexGuarded<bool>();
void hang(kj::AutoCloseFd) {
  areLetGo.lockExclusive().wait([](bool let) { return let; });
}

constexpr uid_t ALICE = 1001;
constexpr uid_t BOB = 1002;
// Alice's too.
constexpr uid_t FIRST_SUBORDINATE = 100000;

class Owners final: public UidOwners {
public:
  bool isSlow = false;

  kj::Promise<uid_t> ownerOf(uid_t uid) override {
    if (isSlow) return kj::NEVER_DONE;
    return uid < FIRST_SUBORDINATE ? uid : ALICE;
  }
};

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  DescriptorTable descriptors;
  FarCloser closer{hang};
  Owners owners;
  Arrivals arrivals;
  int served = 0;
  uid_t lastOwner = 0;
  ControlServer server{timer,
                       descriptors,
                       owners,
                       [this](ClientIdentity identity) -> capnp::Capability::Client {
                         ++served;
                         lastOwner = identity.owner;
                         return KJ_EXCEPTION(FAILED, "nobody calls it");
                       },
                       MAX_CONNECTIONS,
                       kj::systemPreciseMonotonicClock(),
                       closer};
  kj::Promise<void> serving = server.listen(arrivals).eagerlyEvaluate(nullptr);

  static constexpr uint32_t MAX_CONNECTIONS = 16;

  World() { *areLetGo.lockExclusive() = false; }
  ~World() { *areLetGo.lockExclusive() = true; }

  kj::Own<kj::AsyncCapabilityStream> arrive(uid_t user) {
    scope.poll();
    auto end = arrivals.arrive(user);
    scope.poll();
    return end;
  }

  // What a client hears that is turned away.
  kj::String reason(kj::AsyncCapabilityStream& end) {
    auto message = capnp::readMessage(end).wait(scope);
    auto abort = message->getRoot<capnp::rpc::Message>().getAbort();
    CHECK(abort.getType() == capnp::rpc::Exception::Type::OVERLOADED);
    return kj::str(abort.getReason());
  }
};

void leaveUnclosed(FarCloser& closer, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int fd;
    KJ_SYSCALL(fd = open("/dev/null", O_RDONLY | O_CLOEXEC));
    closer.close(kj::AutoCloseFd(fd), ALICE);
  }
}

TEST_CASE("S02 a client that is turned away and has closed already harms nobody") {
  World w;
  constexpr int SHARE = World::MAX_CONNECTIONS / USER_SHARE;
  kj::Vector<kj::Own<kj::AsyncCapabilityStream>> held;
  for (int i = 0; i < SHARE; i++) held.add(w.arrive(ALICE));
  w.scope.poll();
  CHECK(w.served == SHARE);
  w.arrivals.arrive(ALICE, true);
  w.scope.poll();
  held.add(w.arrive(BOB));
  CHECK(w.served == SHARE + 1);
  CHECK_FALSE(w.serving.poll(w.scope));
}

TEST_CASE("S02 one user has no more than its share of the connections, and root has all") {
  World w;
  constexpr int SHARE = World::MAX_CONNECTIONS / USER_SHARE;
  kj::Vector<kj::Own<kj::AsyncCapabilityStream>> ends;
  for (int i = 0; i < SHARE; i++) ends.add(w.arrive(ALICE));
  CHECK(w.served == SHARE);
  auto beyond = w.arrive(ALICE);
  CHECK(w.served == SHARE);
  CHECK(w.reason(*beyond) == "bothyd: this user has as many connections as it may");
  CHECK(beyond->readAllText().wait(w.scope) == "");
  ends.add(w.arrive(BOB));
  CHECK(w.served == SHARE + 1);
  ends.removeLast();
  ends.removeLast();
  ends.add(w.arrive(ALICE));
  CHECK(w.served == SHARE + 2);
  for (int i = SHARE; i < World::MAX_CONNECTIONS; i++) ends.add(w.arrive(0));
  CHECK(w.served == World::MAX_CONNECTIONS + 2);
}

TEST_CASE("S02 subordinate user ids have the share of their owner, and none of their own") {
  World w;
  constexpr int SHARE = World::MAX_CONNECTIONS / USER_SHARE;
  kj::Vector<kj::Own<kj::AsyncCapabilityStream>> ends;
  for (int i = 0; i < SHARE; i++) ends.add(w.arrive(FIRST_SUBORDINATE + i));
  CHECK(w.served == SHARE);
  CHECK(w.lastOwner == ALICE);
  auto beyond = w.arrive(FIRST_SUBORDINATE + SHARE);
  CHECK(w.reason(*beyond) == "bothyd: this user has as many connections as it may");
  beyond = w.arrive(ALICE);
  CHECK(w.reason(*beyond) == "bothyd: this user has as many connections as it may");
  ends.add(w.arrive(BOB));
  CHECK(w.served == SHARE + 1);
  ends.removeLast();
  ends.removeLast();
  ends.add(w.arrive(ALICE));
  CHECK(w.served == SHARE + 2);
}

// As much of a message as it is taken of one that never ends.
struct PartOfMessage {
  static constexpr size_t BYTES = 7 * 1024 * 1024;
  kj::Array<uint32_t> words = kj::heapArray<uint32_t>(BYTES / sizeof(uint32_t));
  bool isTaken = false;
  kj::Promise<void> writing = nullptr;

  explicit PartOfMessage(kj::AsyncCapabilityStream& stream) {
    memset(words.begin(), 0, BYTES);
    words[1] = BYTES / sizeof(capnp::word) + 1;  // of the only segment
    writing = stream.write(words.begin(), BYTES)
                  .then([this]() { isTaken = true; })
                  .eagerlyEvaluate([](kj::Exception&&) {});
  }
};

TEST_CASE("S01 one user's clients hold no more than his share of the memory, and root's may") {
  constexpr size_t PARTS = CLIENTS_USER_BYTES / PartOfMessage::BYTES + 1;
  auto takes = [](kj::ArrayPtr<const uid_t> users) {
    World w;
    kj::Vector<kj::Own<kj::AsyncCapabilityStream>> ends;
    kj::Vector<kj::Own<PartOfMessage>> parts;
    for (auto user : users) {
      ends.add(w.arrive(user));
      parts.add(kj::heap<PartOfMessage>(*ends.back()));
      w.scope.poll();
    }
    size_t taken = 0;
    for (auto& part : parts) taken += part->isTaken;
    return taken;
  };
  static_assert(PARTS == 3);
  CHECK(takes({ALICE, ALICE, FIRST_SUBORDINATE}) == PARTS - 1);
  CHECK(takes({ALICE, ALICE, BOB}) == PARTS);
  CHECK(takes({ROOT, ROOT, ROOT}) == PARTS);
}

TEST_CASE("S02 a client of whom it is not known whose he is keeps no other waiting") {
  World w;
  w.owners.isSlow = true;
  auto first = w.arrive(FIRST_SUBORDINATE);
  w.owners.isSlow = false;
  auto second = w.arrive(BOB);
  CHECK(w.served == 1);
  CHECK(w.lastOwner == BOB);
}

TEST_CASE("S02 a user id has no more than a share while it is not known whose it is") {
  World w;
  constexpr int SHARE = World::MAX_CONNECTIONS / USER_SHARE;
  w.owners.isSlow = true;
  kj::Vector<kj::Own<kj::AsyncCapabilityStream>> ends;
  for (int i = 0; i < SHARE; i++) ends.add(w.arrive(FIRST_SUBORDINATE));
  auto beyond = w.arrive(FIRST_SUBORDINATE);
  CHECK(beyond->readAllText().poll(w.scope));
  ends.clear();
}

TEST_CASE("S01 descriptors of a subordinate user id that cannot be closed are its owner's") {
  World w;
  leaveUnclosed(w.closer, FarCloser::MAX_UNCLOSED + 1);
  auto end = w.arrive(FIRST_SUBORDINATE);
  CHECK(w.served == 0);
  w.timer.advanceTo(w.timer.now() + UNCLOSED_LIMIT);
  CHECK(w.reason(*end) == "bothyd: too many descriptors of this user's cannot be closed");
}

TEST_CASE("P41 who comes when there is no file for its connection's close is served later") {
  World w;
  w.arrivals.filesMissing = 2;
  auto end = w.arrive(ALICE);
  for (int i = 0; i < 2; i++) {
    CHECK(w.served == 0);
    w.timer.advanceTo(w.timer.now() + 1 * kj::SECONDS);
    w.scope.poll();
  }
  CHECK(w.served == 1);
}

TEST_CASE("S01 a user whose descriptors cannot be closed is turned away, and others are not") {
  World w;
  leaveUnclosed(w.closer, FarCloser::MAX_UNCLOSED);
  auto first = w.arrive(ALICE);
  CHECK(w.served == 1);
  leaveUnclosed(w.closer, 1);
  auto second = w.arrive(ALICE);
  auto other = w.arrive(BOB);
  CHECK(w.served == 2);
  w.timer.advanceTo(w.timer.now() + UNCLOSED_LIMIT);
  CHECK(w.reason(*second) == "bothyd: too many descriptors of this user's cannot be closed");
  CHECK(w.served == 2);
  // Who waits is served when they are closed.
  auto third = w.arrive(ALICE);
  CHECK(w.served == 2);
  *areLetGo.lockExclusive() = true;
  while (w.closer.isClogged(ALICE)) sched_yield();
  w.timer.advanceTo(w.timer.now() + UNCLOSED_LIMIT / 2);
  w.scope.poll();
  CHECK(w.served == 3);
}

TEST_CASE("S01 nobody is taken in while too many descriptors of all users cannot be closed") {
  World w;
  // One accept is under way.
  auto before = w.arrive(BOB);
  leaveUnclosed(w.closer, FarCloser::MAX_UNCLOSED_IN_ALL + 1);
  auto during = w.arrive(BOB);
  CHECK(w.served == 2);
  auto after = w.arrive(BOB);
  CHECK(w.served == 2);
  *areLetGo.lockExclusive() = true;
  while (w.closer.isClogged()) sched_yield();
  w.timer.advanceTo(w.timer.now() + 1 * kj::SECONDS);
  w.scope.poll();
  CHECK(w.served == 3);
}

}  // namespace
}  // namespace bothy
