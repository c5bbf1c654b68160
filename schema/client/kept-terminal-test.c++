#include "client/kept-terminal.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "client/client-test-world.h"
#include "client/terminal-test-world.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

struct AtTerminal: public ClientTestWorld {
  AtTerminal() : ClientTestWorld(rpc::LaneRequest::INTERACTIVE) {}

  TerminalRecorder seen;
  KeptTerminal terminal{reconnection, seen};
  kj::Promise<KeptTerminal::End> following = nullptr;

  void openNew() {
    auto failed = terminal
                      .open([](rpc::Terminals::OpenParams::Builder params) {
                        params.initCommand().initArgv(1).set(0, "bash");
                      })
                      .wait(io.waitScope);
    REQUIRE(failed == nullptr);
    follow();
  }
  void follow() {
    following = terminal.follow().eagerlyEvaluate(nullptr);
    settle();
  }
  void show(kj::StringPtr text) {
    supervisor.terminal.output = kj::str(supervisor.terminal.output, text);
    supervisor.terminal.show();
    settle();
  }
  // Breaks the lane; what is said meanwhile comes with the next.
  void loseLane(kj::StringPtr meanwhile) {
    none = NoLane::Kind::PASSES;
    supervisor.breakLanes();
    settle();
    supervisor.terminal.output = kj::str(supervisor.terminal.output, meanwhile);
  }
  void giveLane() {
    none = nullptr;
    advance(1 * kj::SECONDS);
  }
};

TEST_CASE("P01 P02 a terminal goes on at the next byte over lanes that break") {
  AtTerminal at;
  at.openNew();
  at.show("one ");
  for (int loss = 0; loss < 3; ++loss) {
    at.loseLane("two ");
    CHECK(at.terminal.reached() == nullptr);
    CHECK(at.seen.attachment == nullptr);
    at.giveLane();
    CHECK(at.terminal.reached() != nullptr);
    CHECK(at.seen.attachment != nullptr);
    at.show("three ");
  }
  CHECK(at.seen.text == "one two three two three two three ");
  CHECK(at.seen.repeated == 0);
  CHECK(at.seen.attachments == 4);
  CHECK(at.supervisor.terminal.attachments == 4);
  CHECK(at.supervisor.terminal.size == "100x30");
  at.supervisor.terminal.exitCode = 3;
  at.show("");
  CHECK(at.following.wait(at.io.waitScope) == KeptTerminal::End::EXITED);
  CHECK(KJ_REQUIRE_NONNULL(at.seen.exitCode) == 3);
  CHECK(at.seen.losses == 3);
}

TEST_CASE("P01 what a terminal could not keep while its lane was lost is told in its place") {
  AtTerminal at;
  at.openNew();
  at.show("12345");
  at.loseLane("67890");
  at.supervisor.terminal.oldest = 8;
  at.giveLane();
  CHECK(at.seen.text == "12345<3>90");
}

TEST_CASE(
    "P02 of a terminal that exists the bytes come that it has kept, and go on over lanes that "
    "break") {
  AtTerminal at;
  at.supervisor.terminal.output = kj::str("0123456789");
  at.supervisor.terminal.oldest = 4;
  CHECK(at.terminal.openExisting(FakeTerminal::ID).wait(at.io.waitScope) ==
        KeptTerminal::Found::YES);
  at.follow();
  CHECK(at.seen.text == "456789");
  at.loseLane("x");
  at.giveLane();
  CHECK(at.seen.text == "456789x");
}

TEST_CASE("a terminal that is not there is not opened") {
  AtTerminal at;
  auto found = at.terminal.openExisting(8).wait(at.io.waitScope);
  CHECK(found == KeptTerminal::Found::ABSENT);
}

TEST_CASE(
    "an agent that is too old for input by attachments is told, and what was opened is closed") {
  AtTerminal at;
  at.supervisor.agentGeneration = rpc::STATEFUL_TERMINALS - 1;
  SECTION("of one that is there") {
    CHECK(at.terminal.openExisting(FakeTerminal::ID).wait(at.io.waitScope) ==
          KeptTerminal::Found::AGENT_TOO_OLD);
  }
  SECTION("of a new one") {
    auto failed = at.terminal.open([](auto) {}).wait(at.io.waitScope);
    CHECK(KJ_REQUIRE_NONNULL(failed).get<KeptTerminal::End>() == KeptTerminal::End::AGENT_TOO_OLD);
    CHECK(at.supervisor.terminal.closes == 1);
    CHECK_FALSE(at.terminal.mayBeOpen());
  }
}

TEST_CASE("a terminal of another boot is not taken for ours, though it has the same id") {
  AtTerminal at;
  at.openNew();
  at.loseLane("a stranger's");
  at.supervisor.startedNanos = 2;
  at.giveLane();
  REQUIRE(at.following.poll(at.io.waitScope));
  CHECK(at.following.wait(at.io.waitScope) == KeptTerminal::End::STARTED_ANEW);
  CHECK(at.seen.text == "");
  CHECK(at.supervisor.terminal.attachments == 1);
}

TEST_CASE("a terminal that ended while its lane was lost is told as that") {
  AtTerminal at;
  at.openNew();
  at.loseLane("");
  at.supervisor.terminal.isAbsent = true;
  at.giveLane();
  REQUIRE(at.following.poll(at.io.waitScope));
  CHECK(at.following.wait(at.io.waitScope) == KeptTerminal::End::ENDED_UNSEEN);
}

TEST_CASE("a terminal whose viewer the agent drops is attached to again, by a new lane") {
  AtTerminal at;
  at.openNew();
  at.show("one ");
  at.supervisor.terminal.detachAll();
  at.settle();
  at.advance(1 * kj::SECONDS);
  at.show("two");
  CHECK(at.seen.text == "one two");
  CHECK(at.supervisor.lanes == 2);
}

TEST_CASE("P41 a terminal is opened once, by whichever lane is had first") {
  AtTerminal at;
  at.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  auto opening = at.terminal.open([](auto) {}).eagerlyEvaluate(nullptr);
  at.settle();
  at.supervisor.refusal = nullptr;
  at.advance(1 * kj::SECONDS);
  CHECK(opening.wait(at.io.waitScope) == nullptr);
  CHECK(at.supervisor.terminal.attachments == 1);
}

TEST_CASE(
    "P07 a terminal whose opening was not answered is found by the next lane, and not opened "
    "again") {
  AtTerminal at;
  at.supervisor.terminal.neverOpens = true;
  auto opening = at.terminal
                     .open([](rpc::Terminals::OpenParams::Builder params) {
                       params.initCommand().initArgv(1).set(0, "bash");
                     })
                     .eagerlyEvaluate(nullptr);
  at.settle();
  CHECK(at.supervisor.terminal.opens == 1);
  SECTION("in the same boot") {
    at.supervisor.terminal.neverOpens = false;
    at.loseLane("said meanwhile ");
    at.giveLane();
    CHECK(opening.wait(at.io.waitScope) == nullptr);
    at.follow();
    at.show("and then");
    CHECK(at.seen.text == "said meanwhile and then");
    CHECK(at.seen.attachments == 1);
  }
  auto endOf = [&]() {
    auto failed = opening.wait(at.io.waitScope);
    return KJ_REQUIRE_NONNULL(failed).get<KeptTerminal::End>();
  };
  SECTION("unless it has ended") {
    at.supervisor.terminal.isAbsent = true;
    at.loseLane("");
    at.giveLane();
    CHECK(endOf() == KeptTerminal::End::ENDED_UNSEEN);
  }
  SECTION("unless the workspace was started anew") {
    at.supervisor.startedNanos = 2;
    at.loseLane("");
    at.giveLane();
    CHECK(endOf() == KeptTerminal::End::STARTED_ANEW);
    CHECK_FALSE(at.terminal.mayBeOpen());
  }
  SECTION("unless its agent is too old to find it") {
    at.supervisor.agentGeneration = rpc::REQUEST_IDS_OF_TERMINALS - 1;
    at.supervisor.terminal.neverOpens = false;
    at.loseLane("");
    at.giveLane();
    CHECK(endOf() == KeptTerminal::End::IN_DOUBT);
    CHECK(at.terminal.mayBeOpen());
  }
  CHECK(at.supervisor.terminal.opens == 1);
}

TEST_CASE("P07 a terminal was not asked for in a boot in which the lane was refused") {
  AtTerminal at;
  at.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  auto opening = at.terminal.open([](auto) {}).eagerlyEvaluate(nullptr);
  at.settle();
  at.supervisor.refusal = nullptr;
  at.supervisor.startedNanos = 2;
  at.advance(1 * kj::SECONDS);
  CHECK(opening.wait(at.io.waitScope) == nullptr);
  CHECK(at.supervisor.terminal.opens == 1);
}

TEST_CASE("leaving a terminal gives up its lane") {
  AtTerminal at;
  at.openNew();
  at.following = nullptr;
  at.terminal.leave();
  at.settle();
  at.show("unseen");
  CHECK(at.seen.text == "");
  CHECK(at.terminal.reached() == nullptr);
}

}  // namespace
}  // namespace bothy
