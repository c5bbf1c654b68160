#include <kj/timer.h>
#include <signal.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

TEST_CASE("P05 1 MiB pasted into a program in raw mode arrives byte-exact") {
  TerminalTestWorld world;
  auto opened = world.open("stty raw -echo; echo ready; head -c 1048576 > pasted; echo done");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready").wait(world.scope);
  auto request = attachment.writeRequest();
  auto data = request.initData(1048576);
  kj::StringPtr pattern = "äöü€ \x01\x7f 🙂 ";  // no character ends where a chunk does
  for (kj::uint i = 0; i < data.size(); i++) data[i] = pattern[i % pattern.size()];
  auto expected = kj::heapArray<kj::byte>(data);
  request.send().wait(world.scope);
  seen.until("done").wait(world.scope);
  CHECK(world.readHome("pasted").asBytes() == expected.asPtr());
}

// In virtual time, with programs that end when a line was typed.
struct TypingWorld {
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  TerminalTestWorld world{timer};
  Seen seen;
  rpc::Terminal::Client terminal;
  rpc::Attachment::Client attachment;

  explicit TypingWorld(kj::StringPtr script)
      : terminal(world.open(script).terminal), attachment(world.attach(terminal, seen)) {
    finish(seen.until("ready"));
  }
  ~TypingWorld() noexcept(false) {
    type("\r");
    finish(terminal.waitRequest().send().ignoreResult());
  }

  bool isOver(kj::Promise<void>& promise) {
    timer.advanceTo(timer.now());
    return promise.poll(world.scope);
  }
  void finish(kj::Promise<void> promise) {
    while (!isOver(promise)) timer.advanceTo(timer.now() + 1 * kj::NANOSECONDS);
    promise.wait(world.scope);
  }
  // What comes behind it waits until it is answered.
  kj::Promise<void> type(kj::StringPtr text) {
    world.type(attachment, text);
    return world.resizing(attachment).eagerlyEvaluate(nullptr);
  }
};

TEST_CASE("P59 what is typed is answered with its echo, and where there is none a moment later") {
  {
    TypingWorld w("stty -echo; echo ready; read line");
    auto answered = w.type("x");
    for (int i = 0; i < 100; i++) CHECK_FALSE(w.isOver(answered));
    w.timer.advanceTo(w.timer.now() + 10 * kj::MILLISECONDS);
    w.finish(kj::mv(answered));
  }
  TypingWorld w("echo ready; read line");
  w.finish(w.type("x"));
  CHECK(w.seen.has("x"));
}

TEST_CASE("input of several writers is not mixed within a call") {
  TerminalTestWorld world;
  auto opened = world.open("stty raw -echo; echo ready; head -c 400000 > typed; echo done");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready").wait(world.scope);
  auto other = world.reconnect().getRequest();
  other.setId(opened.id);
  Seen otherSeen;
  auto second = world.attach(other.send().wait(world.scope).getTerminal(), otherSeen);
  kj::Vector<kj::Promise<void>> writes;
  for (char letter : {'a', 'b'}) {
    auto request = (letter == 'a' ? attachment : second).writeRequest();
    memset(request.initData(200000).begin(), letter, 200000);
    writes.add(request.send());
  }
  kj::joinPromises(writes.releaseAsArray()).wait(world.scope);
  seen.until("done").wait(world.scope);
  auto typed = world.readHome("typed");
  REQUIRE(typed.size() == 400000);
  kj::uint changes = 0;
  for (size_t i = 1; i < typed.size(); i++) changes += typed[i] != typed[i - 1];
  CHECK(changes == 1);
}

TEST_CASE("input is held back while the program does not read, and fails when it ends") {
  TerminalTestWorld world;
  auto opened = world.open("stty raw -echo; echo ready; sleep 1000");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready").wait(world.scope);
  auto request = attachment.writeRequest();
  request.initData(1048576);
  auto written = [&]() {
    auto sent = request.send();
    return world.resizing(attachment).attach(kj::mv(sent));
  }();
  CHECK_FALSE(written.poll(world.scope));
  auto kill = opened.terminal.signalRequest();
  kill.setNumber(SIGKILL);
  CHECK(kill.send().wait(world.scope).getDelivered());
  kj::Maybe<kj::Exception> failure =
      kj::runCatchingExceptions([&]() { written.wait(world.scope); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::DISCONNECTED);
}

TEST_CASE("that a terminal is given input, and how long a program runs, is told") {
  TerminalTestWorld world;
  HeardPrograms heard;
  world.programs->listener = heard;
  auto opened = world.open("stty -echo; echo up; read x");
  CHECK(heard.running == RunningPrograms{.terminals = 1});
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("up").wait(world.scope);
  // Nothing was.
  world.type(attachment, "");
  CHECK(heard.inputs == 0);
  world.type(attachment, "\n");
  seen.until("").wait(world.scope);
  CHECK(heard.inputs == 1);
  CHECK(heard.running == RunningPrograms());
  CHECK(heard.ends == 1);
  // Nor is what nobody takes.
  kj::runCatchingExceptions([&]() {
    world.type(attachment, "late");
    world.resize(attachment, TerminalTestWorld::SIZE);
  });
  CHECK(heard.inputs == 1);
  world.programs->listener = nullptr;
}

}  // namespace
}  // namespace bothy
