// Terminals in a real machine, as a person would use them.  All scenarios share it.

#include <kj/debug.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <set>

#include "support/host-memory.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

constexpr kj::StringPtr CONTROL_C = "\x03"_kj;

TEST_CASE("a login shell greets with a prompt, runs what is typed and says how it ended") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(workspace, {});
  terminal.waitForText("user@");

  terminal.type("echo $((6 * 7)) $(whoami) $PWD\r");
  terminal.waitForText("42 user /home/user");
  terminal.type("exit 3\r");
  terminal.waitForExit();
  CHECK(KJ_ASSERT_NONNULL(terminal.record.exit) == "exited 3");
}

TEST_CASE(
    "the first Tab completes what the second would, and a repository is named in the prompt") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(workspace, {});
  terminal.waitForText("$");
  terminal.type("git checkou\t");
  terminal.waitForText("git checkout");
  terminal.type("\x15");  // Ctrl-U takes the line away
  terminal.type("git init -q -b trunk made && cd made\r");
  terminal.waitForText("(trunk)");
}

TEST_CASE("P03 the first command sees the client's size and every resize reaches the program") {
  auto& [host, workspace] = sharedWorkspace();
  const kj::StringPtr script =
      "stty size; trap 'echo now $(stty size)' WINCH; echo ready; while :; do sleep 0.1; done"_kj;
  TestTerminal terminal(workspace,
                        {.argv = {"/bin/bash"_kj, "-c"_kj, script}, .columns = 97, .rows = 31});
  terminal.waitForText("31 97");
  terminal.waitForText("ready");

  terminal.resize(120, 40);
  terminal.waitForText("now 40 120");
  CHECK(terminal.record.sizes.size() == 1);
  CHECK(terminal.record.sizes[0] == "120x40");
}

TEST_CASE("Ctrl-C interrupts the program and leaves the shell") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(workspace, {});
  terminal.waitForText("$");
  terminal.type("sleep 1000\r");
  terminal.waitForText("sleep 1000");
  host.wait(workspace.start({"/bin/sh"_kj, "-c"_kj, "until pgrep -x sleep; do :; done"_kj}),
            "the program to run");
  terminal.type(CONTROL_C);
  terminal.type("echo status $?\r");
  terminal.waitForText("status 130");
}

TEST_CASE("P52 UTF-8 is typed, echoed and shown as it is") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(workspace, {});
  terminal.waitForText("$");
  terminal.type("locale charmap; printf '%s\\n' 'größe 日本 ✓' | tee f; wc -m < f\r");
  terminal.waitForText("UTF-8");
  terminal.waitForText("größe 日本 ✓");
  terminal.waitForText("\n11");
}

TEST_CASE("vim edits a file on the whole screen and gives the screen back") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(workspace, {.argv = nullptr, .columns = 100, .rows = 30});
  terminal.waitForText("$");
  terminal.type("clear; vim -u NONE note.txt\r");
  terminal.waitUntil([&]() { return terminal.record.screen.line(1) == "~"; }, "vim's screen");
  CHECK(strstr(terminal.record.screen.line(29).cStr(), "note.txt") != nullptr);

  terminal.type("ifirst line\rsecond line\x1b");
  terminal.waitUntil([&]() { return terminal.record.screen.line(1) == "second line"; }, "the text");
  terminal.type(":wq\r");
  terminal.waitForText("$");
  terminal.type("cat note.txt | tr a-z A-Z\r");
  terminal.waitForText("FIRST LINE\nSECOND LINE");
}

// The first lines in which two screens differ; empty: none.
kj::String difference(kj::StringPtr one, kj::StringPtr other) {
  while (one != other) {
    auto oneEnd = one.findFirst('\n').orDefault(one.size());
    auto otherEnd = other.findFirst('\n').orDefault(other.size());
    if (one.slice(0, oneEnd) != other.slice(0, otherEnd)) {
      return kj::str(one.slice(0, oneEnd), "\n", other.slice(0, otherEnd));
    }
    one = one.slice(kj::min(oneEnd + 1, one.size()));
    other = other.slice(kj::min(otherEnd + 1, other.size()));
  }
  return kj::str();
}

// Both show the same, once all that comes has come.
void checkSame(TestTerminal& one, TestTerminal& other) {
  constexpr int ATTEMPTS = 20;
  auto differing = kj::str("?");
  for (int i = 0; i < ATTEMPTS && differing.size() > 0; ++i) {
    auto shown = one.settled();
    differing = difference(other.settled(), shown);
  }
  INFO(differing.cStr());
  CHECK(differing.size() == 0);
}

// One who was there from the beginning and one who comes to what is on the screen see the same: now, and after `typed`.
void checkSecondViewer(TestTerminal& first, kj::StringPtr typed, kj::StringPtr shown) {
  first.settled();
  TestTerminal second(TestTerminal::Past::SCREEN, first);
  checkSame(first, second);
  first.type(typed);
  first.waitForText(shown);
  second.waitForText(shown);
  checkSame(first, second);
}

TEST_CASE("P01 a viewer that comes to vim, less, tmux or top sees the same as one who was there") {
  auto& [host, workspace] = sharedWorkspace();
  auto start = [&](kj::StringPtr command, kj::StringPtr shown) {
    auto terminal = kj::heap<TestTerminal>(
        workspace, TestTerminal::Options{.argv = nullptr, .columns = 90, .rows = 30});
    terminal->waitForText("$");
    terminal->type(kj::str("seq 40; ", command, "\r"));
    terminal->waitForText(shown);
    return terminal;
  };
  SECTION("vim, with colors, two windows and a line that is being written") {
    auto vim = start("vim -c 'syntax on' -c 'set number' -c split /etc/profile", "/etc/profile");
    checkSecondViewer(*vim, "\x17jGo# written\x1b", "# written");
    // And gives the screen back to both.
    TestTerminal second(TestTerminal::Past::SCREEN, *vim);
    vim->type(":qa!\r");
    vim->waitForText("40\nuser@");
    second.waitForText("40\nuser@");
    checkSame(*vim, second);
  }
  SECTION("less") {
    auto less = start("less /etc/services", "tcpmux");
    checkSecondViewer(*less, "/imaps\r", "imaps");
  }
  SECTION("tmux, with panes and margins of its own") {
    auto tmux = start(
        "tmux -f /dev/null new -x 90 -y 30 \\; set status-right '' \\; split-window -h \\; "
        "split-window -v 'seq 100; cat'",
        "100\n");
    checkSecondViewer(*tmux, "typed\r", "typed");
    tmux->type("\x02:kill-server\r");
  }
  SECTION("top") {
    auto top = start("top -d 1000", "PID USER");
    checkSecondViewer(*top, "z1m", "PID USER");
  }
}

TEST_CASE(
    "P03 of two viewers of vim the one who typed last decides its size, and the other is told") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal first(workspace, {.argv = nullptr, .columns = 90, .rows = 30});
  first.waitForText("$");
  first.type("vim note\r");
  first.waitUntil([&]() { return first.record.screen.line(1) == "~"; }, "vim's screen");
  auto awaitSize = [](TestTerminal& terminal, kj::StringPtr size) {
    terminal.waitUntil(
        [&]() { return !terminal.record.sizes.empty() && terminal.record.sizes.back() == size; },
        size);
  };
  TestTerminal second(TestTerminal::Past::SCREEN, first);
  // Who comes with a size of his own decides it.
  second.resize(70, 20);
  awaitSize(first, "70x20");
  // Escape, because vim may throw away what is typed while it takes a new size over.
  first.type("\x1b");
  awaitSize(second, "90x30");
  auto awaitRuler = [](TestTerminal& terminal, uint16_t row, kj::StringPtr ruler) {
    terminal.waitUntil(
        [&]() { return strstr(terminal.record.screen.line(row).cStr(), ruler.cStr()) != nullptr; },
        ruler);
  };
  awaitRuler(first, 29, "0,0-1");
  first.settled();
  first.type("ihello\x1b");
  awaitRuler(first, 29, "1,5");
  second.resize(60, 15);
  CHECK(first.record.sizes.back() == "90x30");
  second.type("\x1b");
  awaitSize(first, "60x15");
  awaitRuler(second, 14, "1,5");
  CHECK(second.record.screen.line(0) == "hello");
}

TEST_CASE("P52 a TERM that the workspace does not know becomes xterm-256color") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal unknown(
      workspace, {.argv = {"/bin/sh"_kj, "-c"_kj, "echo [$TERM]"_kj}, .term = "no-such-terminal"});
  unknown.waitForExit();
  CHECK(unknown.record.screen.line(0) == "[xterm-256color]");
  TestTerminal known(workspace,
                     {.argv = {"/bin/sh"_kj, "-c"_kj, "echo [$TERM]"_kj}, .term = "screen"});
  known.waitForExit();
  CHECK(known.record.screen.line(0) == "[screen]");
}

TEST_CASE("P04 a fast command shows all its output before its exit") {
  auto& [host, workspace] = sharedWorkspace();
  const uint rounds = getenv("BOTHY_FULL") == nullptr ? 100 : 1000;
  for (uint i = 0; i < rounds; ++i) {
    TestTerminal terminal(workspace, {.argv = {"/bin/sh"_kj, "-c"_kj, "printf x; exit 7"_kj}});
    terminal.waitForExit();
    REQUIRE(KJ_ASSERT_NONNULL(terminal.record.exit) == "exited 7");
    REQUIRE(terminal.record.screen.text() == "x");

    auto finished = workspace.run({"/bin/sh"_kj, "-c"_kj, "printf x; exit 7"_kj});
    REQUIRE(finished.status == "exited 7");
    REQUIRE(finished.out == "x");
  }
}

TEST_CASE("50 terminals work at once") {
  auto& [host, workspace] = sharedWorkspace();
  constexpr uint COUNT = 50;
  kj::Vector<kj::Own<TestTerminal>> terminals;
  for (uint i = 0; i < COUNT; ++i) {
    terminals.add(
        kj::heap<TestTerminal>(workspace, TestTerminal::Options{.argv = {"/bin/cat"_kj}}));
  }
  for (auto i : kj::indices(terminals)) terminals[i]->type(kj::str("terminal ", i, "\r"));
  for (auto i : kj::indices(terminals)) terminals[i]->waitForText(kj::str("terminal ", i));
  auto list = host.wait(workspace.terminals().listRequest().send().dropPipeline(), "the list");
  std::set<uint64_t> listed;
  for (auto terminal : list.getTerminals()) listed.insert(terminal.getId());
  for (auto& terminal : terminals) CHECK(listed.contains(terminal->id));
  for (auto& terminal : terminals) terminal->type("\x04");
  for (auto& terminal : terminals) terminal->waitForExit();
}

TEST_CASE("P07 work goes on without a viewer, and its output waits") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(
      workspace,
      {.argv = {"/bin/sh"_kj, "-c"_kj,
                "echo before; read x; until [ -e gone ]; do :; done; seq 1 1000; read y"_kj}});
  terminal.waitForText("before");
  terminal.type("go\r");
  terminal.detach();
  workspace.shell("touch gone; until [ -z \"$(pgrep -x seq)\" ]; do :; done");
  workspace.reconnect();
  terminal.find();
  terminal.attach();
  terminal.waitForText("1000");
  CHECK(terminal.record.gaps == 0);
}

TEST_CASE("P06 yes in one terminal neither grows memory nor holds up another or Ctrl-C") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal quiet(workspace, {.argv = {"/bin/cat"_kj}});
  TestTerminal flood(workspace, {.argv = {"/usr/bin/yes"_kj}});
  flood.record.keep = 0;
  // A slow reader: one call's worth of output every 20 ms.
  flood.record.pace = [&]() { return host.timer.afterDelay(20 * kj::MILLISECONDS); };
  flood.waitUntil([&]() { return flood.record.received > 256 * 1024; }, "the flood");

  const uint64_t agentBefore = workspace.health().getAgentMemoryBytes();
  const uint64_t daemonBefore = residentBytes(host.pid());
  const uint64_t selfBefore = residentBytes(getpid());
  const auto duration = (getenv("BOTHY_FULL") == nullptr ? 10 : 30) * kj::SECONDS;
  const auto end = host.timer.now() + duration;
  // On a busy machine it takes longer.
  constexpr uint LINES = 20;
  uint lines = 0;
  while (host.timer.now() < end || lines < LINES) {
    auto line = kj::str("line ", ++lines);
    quiet.type(kj::str(line, "\r"));
    quiet.waitForText(line);
  }
  constexpr uint64_t ALLOWED_BYTES = 4 * 1024 * 1024;
  CHECK(workspace.health().getAgentMemoryBytes() < agentBefore + ALLOWED_BYTES);
  CHECK(residentBytes(host.pid()) < daemonBefore + ALLOWED_BYTES);
  CHECK(residentBytes(getpid()) < selfBefore + ALLOWED_BYTES);

  flood.type(CONTROL_C);
  flood.waitForExit();
  CHECK(KJ_ASSERT_NONNULL(flood.record.exit) == "killed 2");
}

}  // namespace
}  // namespace bothy
