// A client that asks for lanes, and gives the calls up before it has read the answers.

#include <capnp/rpc.capnp.h>
#include <capnp/schema.h>
#include <capnp/serialize-async.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

// Of a socket: no two in the life of a host have the same (SO_COOKIE, socket(7)).
kj::Maybe<uint64_t> cookieOf(int fd) {
  uint64_t cookie;
  socklen_t length = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0) return nullptr;
  return cookie;
}

// A client that says each message of the protocol by itself, and reads nothing until it is told to.
class RawClient final {
public:
  static constexpr uint64_t NUMBER = 2;

  explicit RawClient(Fixture& f)
      : f(f), pipe(f.io.provider->newCapabilityPipe()), messages(*pipe.ends[1]) {
    // Full at once, so that answers wait in bothyd.
    const int small = 4096;
    pipe.ends[1]->setsockopt(SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    pipe.ends[0]->setsockopt(SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    server = kj::heap<ClientConnection>(
        kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), 0), f.lanes.descriptors,
        kj::heap<SupervisorFacet>(f.rooms(), ClientIdentity{NUMBER, 0, 0, 0}),
        f.io.provider->getTimer(), f.budget);
    write([](auto message) { message.initBootstrap().setQuestionId(BOOTSTRAP); });
  }
  KJ_DISALLOW_COPY_AND_MOVE(RawClient);

  // `question`: above 0.
  void connect(uint32_t question) {
    call(question, "connect", [](capnp::rpc::Payload::Builder payload) {
      auto params = payload.getContent().initAs<rpc::Supervisor::ConnectParams>();
      params.setName("demo");
      params.initWanted().setCommands();
    });
  }
  void giveUp(uint32_t question) {
    write([&](auto message) {
      auto finish = message.initFinish();
      finish.setQuestionId(question);
      finish.setReleaseResultCaps(true);
    });
  }
  // What came with all answers so far, and with those that waited.  `question`: one that was not asked yet.
  kj::Vector<kj::AutoCloseFd> readAll(uint32_t question) {
    kj::Vector<kj::AutoCloseFd> received;
    call(question, "list", [](capnp::rpc::Payload::Builder payload) {
      payload.getContent().initAs<rpc::Supervisor::ListParams>();
    });
    for (bool isLast = false; !isLast;) {
      kj::AutoCloseFd space[MAX_DESCRIPTORS];
      auto reading = messages.tryReadMessage(space, readerOptions(), nullptr);
      auto read = f.io.provider->getTimer().timeoutAfter(READ_LIMIT, kj::mv(reading)).wait(f.scope);
      auto& message = KJ_REQUIRE_NONNULL(read, "bothyd has closed the connection");
      for (auto& fd : message.fds) received.add(kj::mv(fd));
      auto root = message.reader->getRoot<capnp::rpc::Message>();
      isLast = root.isReturn() && root.getReturn().getAnswerId() == question;
    }
    return received;
  }

private:
  static constexpr uint32_t BOOTSTRAP = 0;
  static constexpr size_t MAX_DESCRIPTORS = 4;
  static constexpr kj::Duration READ_LIMIT = 30 * kj::SECONDS;

  Fixture& f;
  kj::CapabilityPipe pipe;
  capnp::AsyncCapabilityMessageStream messages;
  kj::Own<ClientConnection> server;

  template <typename Fill>
  void write(Fill&& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<capnp::rpc::Message>());
    messages.writeMessage(nullptr, message.getSegmentsForOutput()).wait(f.scope);
    f.settle();
  }
  template <typename Fill>
  void call(uint32_t question, kj::StringPtr method, Fill&& fill) {
    write([&](auto message) {
      auto call = message.initCall();
      call.setQuestionId(question);
      call.initTarget().initPromisedAnswer().setQuestionId(BOOTSTRAP);
      call.setInterfaceId(capnp::typeId<rpc::Supervisor>());
      call.setMethodId(capnp::Schema::from<rpc::Supervisor>().getMethodByName(method).getOrdinal());
      fill(call.getParams());
    });
  }
};

// Sockets and files that come and go, so that the numbers of descriptors come again.
class OtherDescriptors final {
public:
  void turn(size_t number) {
    auto& place = others[number % PLACES];
    int fds[2];
    KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    place.ends[0] = kj::AutoCloseFd(fds[0]);
    place.ends[1] = kj::AutoCloseFd(fds[1]);
    int file;
    KJ_SYSCALL(file = open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    place.file = kj::AutoCloseFd(file);
  }

private:
  static constexpr size_t PLACES = 50;
  struct Place {
    kj::AutoCloseFd ends[2], file;
  };
  Place others[PLACES];
};

TEST_CASE("S01 lanes that are given up before they are written send nobody else's descriptor") {
  // No more answers than a client may leave unread.
  constexpr uint32_t CONNECTS = 800;
  // Of so many one is held.
  constexpr uint32_t HELD_SHARE = 20;
  Fixture f;
  struct Dialled {
    uint64_t cookie;
    FakeAgent& agent;
  };
  kj::Vector<Dialled> dialled;
  f.onDial = [&](kj::AsyncIoStream& stream, FakeAgent& agent) {
    auto cookie = KJ_ASSERT_NONNULL(cookieOf(KJ_ASSERT_NONNULL(stream.getFd())));
    dialled.add(Dialled{cookie, agent});
  };
  f.create("demo").wait(f.scope);
  RawClient client(f);
  OtherDescriptors others;
  constexpr size_t OTHER_LANES = 20;
  kj::Maybe<rpc::Lane::Client> otherLanes[OTHER_LANES];
  for (uint32_t i = 1; i <= CONNECTS; i++) {
    client.connect(i);
    if (i % HELD_SHARE != 0) client.giveUp(i);
    others.turn(i);
    otherLanes[i % OTHER_LANES] = f.connect("demo").wait(f.scope).getLane();
    // Lanes that were given up are closed meanwhile.
    f.advance(50 * kj::MILLISECONDS);
    f.settle();
  }

  auto received = client.readAll(CONNECTS + 1);
  std::set<uint64_t> own;
  const auto session = kj::str("client ", f.start, ".", RawClient::NUMBER);
  for (auto& connection : dialled) {
    for (auto& grant : connection.agent.grants) {
      if (grant.session == session) own.insert(connection.cookie);
    }
  }
  CHECK(own.size() == CONNECTS);
  for (auto& fd : received) {
    auto cookie = cookieOf(fd);
    CHECK(own.count(cookie.orDefault(0)) == 1);
  }
  // All that were held, and few of the others.
  constexpr uint32_t HELD = CONNECTS / HELD_SHARE;
  CHECK(received.size() >= HELD);
  CHECK(received.size() < 2 * HELD);
}

}  // namespace
}  // namespace bothy
