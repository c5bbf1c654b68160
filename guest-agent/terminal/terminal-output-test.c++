#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "screen/cell.h"
#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

TEST_CASE("P04 a fast command on a terminal shows all its output, and its code after it") {
  TerminalTestWorld world;
  kj::uint repetitions = getenv("BOTHY_FULL") != nullptr ? 1000 : 200;
  for (kj::uint i = 0; i < repetitions; i++) {
    Seen seen;
    auto attachment = world.attach(world.open("printf x; exit 7").terminal, seen);
    seen.until("").wait(world.scope);
    REQUIRE(seen.text() == "x");
    REQUIRE(seen.exitCode.orDefault(99) == 7);
    REQUIRE(seen.inOrder);
  }
}

TEST_CASE("P04 a long output comes whole before the end, also when nobody looked") {
  TerminalTestWorld world;
  auto opened = world.open("stty -opost; seq 1 100000; exit 3");
  auto wait = opened.terminal.waitRequest().send().wait(world.scope);
  CHECK(wait.getStatus().getExited() == 3);
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("").wait(world.scope);
  kj::Vector<char> expected;
  for (kj::uint i = 1; i <= 100000; i++) expected.addAll(kj::str(i, '\n'));
  CHECK(seen.bytes.asPtr() == expected.asPtr().asBytes());
}

TEST_CASE("P06 Ctrl-C ends a flood that a viewer cannot keep up with") {
  TerminalTestWorld world;
  auto opened = world.open("yes");
  Seen seen;
  auto gate = kj::newPromiseAndFulfiller<void>();
  seen.gate = gate.promise.fork();
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("y").wait(world.scope);
  // The viewer takes nothing more; what the agent holds for it does not grow.
  world.type(attachment, "\x03");
  auto wait = opened.terminal.waitRequest().send().wait(world.scope);
  CHECK(wait.getStatus().getKilled() == SIGINT);
  auto produced = opened.terminal.infoRequest().send().wait(world.scope).getInfo().getProduced();
  CHECK(produced <= rpc::SCROLLBACK_BYTES);
  gate.fulfiller->fulfill();
  seen.until("").wait(world.scope);
  CHECK(seen.bytes.size() == produced);
  CHECK(seen.lost == 0);
}

TEST_CASE(
    "P06 the end of a program that a viewer holds back is told though the viewer stands still") {
  TerminalTestWorld world;
  auto opened = world.open("yes");
  Seen seen;
  auto gate = kj::newPromiseAndFulfiller<void>();
  seen.gate = gate.promise.fork();
  auto attachment = world.attach(opened.terminal, seen);
  auto produced = [&]() {
    return opened.terminal.infoRequest().send().wait(world.scope).getInfo().getProduced();
  };
  uint64_t before;
  do {
    before = produced();
    world.io.provider->getTimer().afterDelay(50 * kj::MILLISECONDS).wait(world.scope);
  } while (before == 0 || produced() > before);
  world.type(attachment, "\x03");
  auto wait = opened.terminal.waitRequest().send().wait(world.scope);
  CHECK(wait.getStatus().getKilled() == SIGINT);
  gate.fulfiller->fulfill();
  seen.until("").wait(world.scope);
  CHECK(seen.lost == 0);
}

TEST_CASE("P06 a flood that nobody watches slows no other terminal") {
  TerminalTestWorld world;
  auto flood = world.open("yes");
  CHECK(world.run("echo other") == "other\r\n");
  flood.terminal.closeRequest().send().wait(world.scope);
}

TEST_CASE("P01 whoever attaches again by sequence gets each byte once") {
  TerminalTestWorld world;
  auto opened = world.open("stty -opost -echo; seq 1 20000; read line; seq 20001 30000; read line");
  Seen before;
  {
    auto attachment = world.attach(opened.terminal, before);
    before.until("\n5000\n").wait(world.scope);
  }
  world.disconnect();
  auto get = world.reconnect().getRequest();
  get.setId(opened.id);
  auto response = get.send().wait(world.scope);
  REQUIRE(response.getOutcome().isFound());
  auto terminal = response.getTerminal();

  Seen after;
  auto request = world.attachRequest(terminal, after);
  request.getFrom().setSequence(before.next);
  auto attached = request.send().wait(world.scope);
  CHECK(attached.getNext() == before.next);
  world.type(attached.getAttachment(), "\n");
  after.until("\n30000\n").wait(world.scope);
  kj::Vector<char> expected;
  for (kj::uint i = 1; i <= 20000; i++) expected.addAll(kj::str(i, '\n'));
  auto all = kj::str(before.text(), after.text());
  CHECK(all.startsWith(kj::heapString(expected.asPtr())));
  CHECK(after.inOrder);
  CHECK(after.lost == 0);
}

TEST_CASE("P02 what the scrollback has lost is announced with its size") {
  TerminalTestWorld world;
  auto opened = world.open("head -c 3000000 /dev/zero; echo end; read line");
  // Nobody is attached: nothing holds the program back.
  world.untilProduced(opened.terminal, 3000005);
  Seen seen;
  auto request = world.attachRequest(opened.terminal, seen);
  request.getFrom().setSequence(10);
  auto attached = request.send().wait(world.scope);
  seen.until("end\r\n").wait(world.scope);
  CHECK(seen.lost == 3000005 - rpc::SCROLLBACK_BYTES - 10);
  CHECK(attached.getNext() == 3000005 - rpc::SCROLLBACK_BYTES);
  CHECK(seen.bytes.size() == rpc::SCROLLBACK_BYTES);
  CHECK(seen.inOrder);

  auto future = world.attachRequest(opened.terminal, seen);
  future.getFrom().setSequence(3000006);
  CHECK_THROWS_AS(future.send().wait(world.scope), kj::Exception);
}

TEST_CASE("a slow viewer beside a fast one gets a gap, the fast one none") {
  TerminalTestWorld world;
  auto opened = world.open("read line; head -c 8000000 /dev/zero; exit 1");
  Seen fast, slow;
  auto gate = kj::newPromiseAndFulfiller<void>();
  slow.gate = gate.promise.fork();
  auto first = world.attach(opened.terminal, fast);
  auto second = world.attach(opened.terminal, slow);
  world.type(first, "\n");
  fast.until("").wait(world.scope);
  CHECK(fast.lost == 0);
  CHECK(fast.bytes.size() == 8000002);  // and the echo of the line's end
  CHECK(fast.inOrder);
  gate.fulfiller->fulfill();
  slow.until("").wait(world.scope);
  CHECK(slow.lost > 0);
  CHECK(slow.lost + slow.bytes.size() == 8000002);
  CHECK(slow.inOrder);
}

TEST_CASE("a single slow viewer has no gap: the program is held back") {
  TerminalTestWorld world;
  auto opened = world.open("head -c 8000000 /dev/zero; exit 1");
  Seen seen;
  auto gate = kj::newPromiseAndFulfiller<void>();
  seen.gate = gate.promise.fork();
  auto attachment = world.attach(opened.terminal, seen);
  auto wait = opened.terminal.waitRequest().send();
  CHECK_FALSE(wait.poll(world.scope));
  gate.fulfiller->fulfill();
  seen.until("").wait(world.scope);
  CHECK(seen.lost == 0);
  CHECK(seen.bytes.size() == 8000000);
}

TEST_CASE("detaching the viewer that held it back lets the program go on") {
  TerminalTestWorld world;
  auto opened = world.open("head -c 8000000 /dev/zero; exit 1");
  Seen seen;
  auto gate = kj::newPromiseAndFulfiller<void>();
  seen.gate = gate.promise.fork();
  auto wait = opened.terminal.waitRequest().send();
  {
    auto attachment = world.attach(opened.terminal, seen);
    CHECK_FALSE(wait.poll(world.scope));
  }
  CHECK(wait.wait(world.scope).getStatus().getExited() == 1);
}

TEST_CASE("one viewer too many is refused as OVERLOADED") {
  TerminalTestWorld world;
  auto opened = world.open("read line");
  Seen seen[rpc::MAX_VIEWERS + 1];
  kj::Vector<rpc::Attachment::Client> attachments;
  for (kj::uint i = 0; i < rpc::MAX_VIEWERS; i++) {
    attachments.add(world.attach(opened.terminal, seen[i]));
  }
  auto request = world.attachRequest(opened.terminal, seen[rpc::MAX_VIEWERS]);
  kj::Maybe<kj::Exception> failure =
      kj::runCatchingExceptions([&]() { request.send().wait(world.scope); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::OVERLOADED);
}

TEST_CASE(
    "S42 P02 a terminal that nobody looks at gives way to one that is looked at, and says how much "
    "is lost") {
  TerminalTestWorld world;
  constexpr uint64_t WRITTEN = 1000000;
  auto opened =
      world.open(kj::str("stty -opost -echo; head -c ", WRITTEN, " /dev/zero; read line"));
  world.untilProduced(opened.terminal, WRITTEN);
  OutputRing other(world.programs->outputs, {LEAST_OUTPUT_BYTES, LEAST_OUTPUT_BYTES});
  other.setWatched(true);
  other.append(kj::heapArray<kj::byte>(LEAST_OUTPUT_BYTES));
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  Seen again;
  auto request = world.attachRequest(opened.terminal, again);
  request.getFrom().setSequence(10);
  auto attached = request.send().wait(world.scope);
  CHECK(attached.getNext() == WRITTEN - LEAST_SCROLLBACK_BYTES);
  world.type(attachment, "\n");
  seen.until("").wait(world.scope);
  again.until("").wait(world.scope);
  CHECK(seen.bytes.size() == LEAST_SCROLLBACK_BYTES);
  CHECK(again.lost == WRITTEN - LEAST_SCROLLBACK_BYTES - 10);
}

TEST_CASE("S42 P02 a viewer of a terminal that has its least alone gets each byte") {
  TerminalTestWorld world;
  OutputRing other(world.programs->outputs, {LEAST_OUTPUT_BYTES, LEAST_OUTPUT_BYTES});
  other.append(kj::heapArray<kj::byte>(LEAST_OUTPUT_BYTES));
  auto opened = world.open("stty -opost -echo; printf ready; read x; seq 1 100000; exit 3");
  Seen seen;
  auto gate = kj::newPromiseAndFulfiller<void>();
  seen.gate = gate.promise.fork();
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready").wait(world.scope);
  world.type(attachment, "\n");
  gate.fulfiller->fulfill();
  seen.until("").wait(world.scope);
  CHECK(seen.lost == 0);
  CHECK(seen.inOrder);
  CHECK(seen.bytes.size() == strlen("ready") + 588895);
  CHECK(seen.exitCode.orDefault(99) == 3);
}

TEST_CASE("S42 a terminal takes no more of the budget for a viewer than for what was written") {
  TerminalTestWorld world;
  auto opened = world.open("stty -opost -echo; printf x; read line; printf y; read line");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("x").wait(world.scope);
  const auto before = world.programs->outputs.held();
  world.type(attachment, "\n");
  seen.until("xy").wait(world.scope);
  CHECK(world.programs->outputs.held() == before);
  CHECK(before <= TerminalTestWorld::SIZE.columns * TerminalTestWorld::SIZE.rows * sizeof(Cell) +
                      LEAST_SCROLLBACK_BYTES);
  world.type(attachment, "\n");
}

}  // namespace
}  // namespace bothy
