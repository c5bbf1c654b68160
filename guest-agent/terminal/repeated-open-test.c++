// `open` with a request id: repeated by a client that did not get the answer.

#include <kj/timer.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

constexpr auto MEMORY = rpc::REQUEST_MEMORY_MILLIS * kj::MILLISECONDS;

struct World: public TerminalTestWorld {
  using TerminalTestWorld::TerminalTestWorld;
  using Request = capnp::Request<rpc::Terminals::OpenParams, rpc::Terminals::OpenResults>;
  using Answer = capnp::Response<rpc::Terminals::OpenResults>;

  // Each program that is started writes a line into ~/starts first.
  Request request(kj::StringPtr requestId, kj::StringPtr script) {
    auto result = terminals.openRequest();
    setShell(result.initCommand(), kj::str("echo >> ~/starts; ", script));
    SIZE.writeTo(result.initSize());
    result.setRequestId(requestId);
    return result;
  }
  Answer open(kj::StringPtr requestId, kj::StringPtr script) {
    auto answer = request(requestId, script).send().wait(scope);
    REQUIRE(answer.getOutcome().isOpened());
    return answer;
  }
  void lose() {
    disconnect();
    terminals = reconnect();
  }
  // What its program says and how it ends, once it has had a line.
  void checkSame(rpc::Terminal::Client terminal) {
    Seen seen;
    auto attachment = attach(terminal, seen);
    type(attachment, "line\n");
    seen.until("").wait(scope);
    CHECK(seen.has("said"));
    CHECK(seen.has("had line"));
    CHECK(seen.exitCode.orDefault(99) == 5);
    CHECK(readHome("starts") == "\n");
  }
  static constexpr kj::StringPtr SCRIPT = "echo said; read x; echo had $x; exit 5"_kj;
};

TEST_CASE("P07 an open that is repeated has the same terminal, from its first byte") {
  World world;
  auto id = world.open("once", World::SCRIPT).getId();
  world.lose();
  auto again = world.open("once", "exit 1");
  CHECK(again.getId() == id);
  CHECK(world.count() == 1);
  world.checkSame(again.getTerminal());
}

TEST_CASE("P07 an open whose caller is gone is completed, and found by the next") {
  World world;
  {
    auto dropped = world.request("once", World::SCRIPT).send();
    dropped.poll(world.scope);
  }
  world.lose();
  auto again = world.open("once", "exit 1");
  CHECK(world.count() == 1);
  world.checkSame(again.getTerminal());
}

TEST_CASE("P07 two opens of one request id under way have one terminal") {
  World world;
  auto first = world.request("once", World::SCRIPT).send();
  auto second = world.request("once", "exit 1").send().wait(world.scope);
  CHECK(first.wait(world.scope).getId() == second.getId());
  CHECK(world.count() == 1);
  world.checkSame(second.getTerminal());
}

TEST_CASE(
    "P07 a terminal that is not there any more is told as gone, and opened again only later") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  World world(timer);
  auto first = world.open("once", "exit 4");
  first.getTerminal().waitRequest().send().wait(world.scope);
  CHECK(world.open("once", "exit 0").getId() == first.getId());
  first.getTerminal().closeRequest().send().wait(world.scope);
  CHECK(world.count() == 0);
  auto again = world.request("once", "exit 0").send().wait(world.scope);
  CHECK(again.getOutcome().isGone());
  CHECK_FALSE(again.hasTerminal());
  CHECK(world.readHome("starts") == "\n");
  timer.advanceTo(timer.now() + MEMORY);
  world.open("once", "exit 0");
}

TEST_CASE("S42 of request ids without a terminal the last are remembered") {
  World world;
  auto fails = [&](kj::StringPtr id) {
    auto request = world.request(id, "");
    request.getCommand().setUser("stranger");
    CHECK(request.send().wait(world.scope).getOutcome().isFailed());
  };
  for (kj::uint i = 0; i <= rpc::MAX_REMEMBERED_REQUESTS; i++) fails(kj::str(i));
  world.open("0", "exit 0");
  CHECK(world.request("1", "exit 0").send().wait(world.scope).getOutcome().isFailed());
}

TEST_CASE("a request id of an open is not longer than the limit") {
  World world;
  auto tooLong = kj::str(kj::repeat('x', rpc::MAX_REQUEST_ID_BYTES + 1));
  CHECK_THROWS(world.request(tooLong, "exit 0").send().wait(world.scope));
}

}  // namespace
}  // namespace bothy
