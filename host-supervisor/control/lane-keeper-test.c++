#include "control/lane-keeper.h"

#include <capnp/serialize.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"
#include "loop/testing/lingering-socket.h"
#include "support/few-files.h"

namespace bothy {
namespace {

TEST_CASE("S25 a lane is granted what was wanted, and what is not offered is told") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto ask = [&](auto&& want) {
    auto request = f.supervisor().connectRequest();
    request.setName("demo");
    want(request.initWanted());
    return request.send().wait(f.scope);
  };
  auto isOffered = [&](auto&& want) { return !ask(want).getOutcome().isUnsupported(); };
  CHECK_FALSE(isOffered([](auto wanted) {}));
  CHECK(isOffered([](auto wanted) { wanted.setViewTerminals(); }));
  CHECK_FALSE(isOffered([](auto wanted) { wanted.initFiles(); }));
  CHECK_FALSE(isOffered([](auto wanted) {
    wanted.setInteractive();
    wanted.setLifetimeMillis(~uint64_t{0});
  }));

  auto granted = [&](auto&& want) -> const LaneGrant& {
    auto connected = ask(want);
    auto lane = f.open(connected.getLane());
    lane->answer().wait(f.scope);
    for (auto& agent : f.served) {
      for (auto& grant : agent->grants) {
        if (grant.purpose != rpc::Purpose::CONTROL) f.lastGrant = &grant;
      }
    }
    return *f.lastGrant;
  };
  auto& reading = granted([](auto wanted) {
    wanted.initFiles().setUser("root");
    wanted.getFiles().setAccess(rpc::FileAccess::READ);
  });
  CHECK(reading.purpose == rpc::Purpose::FILES);
  CHECK(reading.user == "root");
  CHECK(reading.verbs.has(rpc::Verb::READ_FILES));
  CHECK_FALSE(reading.verbs.has(rpc::Verb::WRITE_FILES));
  auto& interactive = granted([](auto wanted) { wanted.setInteractive(); });
  CHECK(interactive.purpose == rpc::Purpose::INTERACTIVE);
  CHECK_FALSE(interactive.verbs.has(rpc::Verb::PROGRAMS));
}

TEST_CASE("S26 dropping the capability shuts the lane's socket, whoever else has it open") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto connected = f.connect("demo").wait(f.scope);
  auto lane = f.open(connected.getLane());
  f.agentOf(*lane).pingRequest().send().wait(f.scope);
  // Its descriptor is open elsewhere: only bothyd's shutdown ends it.
  int fd;
  KJ_SYSCALL(fd = dup(KJ_ASSERT_NONNULL(connected.getLane().getFd().wait(f.scope))));
  kj::AutoCloseFd elsewhere(fd);
  lane = nullptr;
  f.settle();
  CHECK(f.endedLanes.size() == 0);
  {
    auto dropped = kj::mv(connected);
  }
  f.settle();
  char byte;
  CHECK(recv(elsewhere, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0);
}

TEST_CASE("S26 the socket of a lane is set as its client may expect, whatever its dial has left") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto dialled = f.io.provider->newTwoWayPipe();
  const int bothydsEnd = KJ_ASSERT_NONNULL(dialled.ends[0]->getFd());
  const int much = 4096;
  KJ_SYSCALL(setsockopt(bothydsEnd, SOL_SOCKET, SO_RCVLOWAT, &much, sizeof(much)));
  int flags;
  KJ_SYSCALL(flags = fcntl(bothydsEnd, F_GETFL));
  KJ_SYSCALL(fcntl(bothydsEnd, F_SETFL, flags & ~O_NONBLOCK));

  auto pipe = f.io.provider->newCapabilityPipe();
  ClientConnection server(
      kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), 0), f.lanes.descriptors,
      f.lanes.keep({LaneGrant(), kj::mv(dialled.ends[0])},
                   KJ_ASSERT_NONNULL(f.find("demo")->machine()), {ClientIdentity{1, 0, 0, 0}}),
      f.io.provider->getTimer(), f.budget);
  RpcConnection client(kj::mv(pipe.ends[1]), 1);
  auto lane = client.bootstrap().castAs<rpc::Lane>();
  const int socket = KJ_ASSERT_NONNULL(lane.getFd().wait(f.scope));
  int least;
  socklen_t length = sizeof(least);
  KJ_SYSCALL(getsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &least, &length));
  CHECK(least == 1);
  KJ_SYSCALL(flags = fcntl(socket, F_GETFL));
  CHECK((flags & O_NONBLOCK) != 0);
}

TEST_CASE("S01 a lane that has ended gives its descriptor to nobody, though it is still held") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto connected = f.connect("demo").wait(f.scope);
  auto ending = connected.getLane().whenEndedRequest().send();
  f.settle();
  // Numbers are given in order.
  auto some = SharedFd::duplicateOf(STDERR_FILENO, 0);
  auto probe = kj::heap<DescriptorTable::Entry>(f.lanes.descriptors, some);
  const int last = probe->number - 1;
  CHECK(f.lanes.descriptors.duplicate(last) != nullptr);
  f.driver.stall(f.driver.running()[0]);
  CHECK(ending.wait(f.scope).getReason() == rpc::LaneEnd::STALLED);
  CHECK(f.lanes.descriptors.duplicate(last) == nullptr);
}

TEST_CASE(
    "P41 a client whose lane's descriptor cannot be copied keeps its connection, and asks again") {
  Fixture f;
  auto some = SharedFd::duplicateOf(STDERR_FILENO, 0);
  DescriptorTable descriptors;
  DescriptorTable::Entry entry(descriptors, some);
  auto pipe = f.io.provider->newCapabilityPipe();
  DescriptorFilter filter(kj::mv(pipe.ends[0]), 0);
  ClientMessageStream stream(filter, descriptors, f.timer);
  capnp::MallocMessageBuilder message;
  message.initRoot<capnp::rpc::Message>().initBootstrap();
  const int fds[] = {entry.number};
  {
    FewFiles none(0);
    stream.writeMessage(fds, message.getSegmentsForOutput()).wait(f.scope);
  }
  stream.writeMessage(fds, message.getSegmentsForOutput()).wait(f.scope);
  capnp::AsyncCapabilityMessageStream far(*pipe.ends[1]);
  kj::AutoCloseFd space[1];
  CHECK(far.readMessage(space).wait(f.scope).fds.size() == 0);
  CHECK(far.readMessage(space).wait(f.scope).fds.size() == 1);
}

TEST_CASE("S01 a lane whose close lasts for long holds the event loop up for nobody") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto& clock = kj::systemPreciseMonotonicClock();
  LingeringSocket lingering;
  int raw;
  KJ_SYSCALL(raw = fcntl(lingering.socket, F_DUPFD_CLOEXEC, 0));
  auto stream =
      f.io.lowLevelProvider->wrapSocketFd(raw, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP |
                                                   kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC);
  auto lane =
      f.lanes.keep({LaneGrant(), kj::mv(stream)}, KJ_ASSERT_NONNULL(f.find("demo")->machine()),
                   {ClientIdentity{1, 0, 0, 0}});
  lingering.socket = nullptr;
  const auto begin = clock.now();
  {
    auto dropped = kj::mv(lane);
  }
  for (int i = 0; i < 2; i++) {
    f.settle();
    f.advance(1 * kj::SECONDS);
  }
  f.settle();
  CHECK(clock.now() - begin < LingeringSocket::LINGER / 2);
  CHECK(f.endedLanes.size() == 1);
}

TEST_CASE("S01 bothyd takes no descriptor from a client") {
  Fixture f;
  auto pipe = f.io.provider->newCapabilityPipe();
  DescriptorTable descriptors;
  DescriptorFilter filter(kj::mv(pipe.ends[0]), 0);
  ClientMessageStream stream(filter, descriptors, f.timer);
  capnp::MallocMessageBuilder message;
  message.initRoot<capnp::rpc::Message>().initBootstrap();
  auto words = capnp::messageToFlatArray(message);
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  kj::AutoCloseFd readEnd(ends[0]);
  {
    kj::AutoCloseFd writeEnd(ends[1]);
    int sent[] = {writeEnd.get()};
    pipe.ends[1]->writeWithFds(words.asBytes(), nullptr, sent).wait(f.scope);
  }
  kj::AutoCloseFd space[4];
  CHECK_THROWS_AS(stream.tryReadMessage(space, readerOptions(), nullptr).wait(f.scope),
                  kj::Exception);
  // Nobody has it open any more.
  constexpr int PATIENCE_MILLIS = 20'000;
  pollfd closed = {readEnd, 0, 0};
  CHECK(poll(&closed, 1, PATIENCE_MILLIS) == 1);
  CHECK(closed.revents == POLLHUP);
}

TEST_CASE("P41 a connect whose answer is lost may be repeated, and leaves nothing behind") {
  Fixture f;
  f.create("demo").wait(f.scope);
  f.connect("demo").wait(f.scope);
  f.settle();
  for (int i = 0; i < 100; i++) {
    // Given up before the answer, and with the connection that it would come over.
    auto lost = f.connect("demo");
    if (i % 2 == 0) lost.poll(f.scope);
    if (i % 10 == 0) {
      f.serve();
      f.settle();
      f.advance(1 * kj::SECONDS);
    }
  }
  CHECK(f.connect("demo").wait(f.scope).getOutcome().isConnected());
  f.settle();
  // What clients were given holds the workspace: nothing does when it is gone.
  auto workspace = f.find("demo");
  auto machine = KJ_ASSERT_NONNULL(workspace->machine());
  f.serve();
  f.settle();
  workspace->erase().wait(f.scope);
  f.settle();
  f.advance(1 * kj::SECONDS);
  f.settle();
  CHECK_FALSE(workspace->isShared());
  CHECK_FALSE(machine->isShared());
}

TEST_CASE("P09 P30 a lane of a machine that stands still says so and ends") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto connected = f.connect("demo").wait(f.scope);
  auto ending = connected.getLane().whenEndedRequest().send();
  CHECK_FALSE(ending.poll(f.scope));
  f.driver.stall(f.driver.running()[0]);
  CHECK(ending.wait(f.scope).getReason() == rpc::LaneEnd::STALLED);
}

TEST_CASE("P09 P30 a machine that stands still while a lane is opened says so") {
  Fixture f;
  f.create("demo").wait(f.scope);
  // It takes the connection that was ready.
  auto first = f.connect("demo").wait(f.scope);
  f.holdsDials = true;
  auto connecting = f.connect("demo");
  f.settle();
  REQUIRE(f.heldDials.size() == 1);
  CHECK_FALSE(connecting.poll(f.scope));
  f.driver.stall(f.driver.running()[0]);
  CHECK(connecting.wait(f.scope).getOutcome().isStalled());
  f.driver.goOn(f.driver.running()[0]);
  f.letDialsGo();
  CHECK(f.connect("demo").wait(f.scope).getOutcome().isConnected());
}

TEST_CASE("P09 P30 all lanes of a machine hear each time that it stands still, and no other's") {
  Fixture f;
  f.create("other").wait(f.scope);
  auto other = f.connect("other").wait(f.scope);
  auto ofOther = other.getLane().whenEndedRequest().send();
  const auto otherMachine = kj::str(f.driver.running()[0]);
  f.create("demo").wait(f.scope);
  kj::String machine;
  for (auto& name : f.driver.running()) {
    if (name != otherMachine) machine = kj::str(name);
  }
  // Those that have ended are held on.
  kj::Vector<rpc::Lane::Client> held;
  for (int turn = 0; turn < 3; turn++) {
    auto open = [&]() {
      auto connected = f.connect("demo").wait(f.scope);
      held.add(connected.getLane());
      return held.back().whenEndedRequest().send();
    };
    auto one = open(), two = open();
    CHECK_FALSE(one.poll(f.scope));
    f.driver.stall(machine);
    CHECK(one.wait(f.scope).getReason() == rpc::LaneEnd::STALLED);
    CHECK(two.wait(f.scope).getReason() == rpc::LaneEnd::STALLED);
    f.driver.goOn(machine);
    f.settle();
  }
  CHECK_FALSE(ofOther.poll(f.scope));
}

}  // namespace
}  // namespace bothy
