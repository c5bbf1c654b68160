#include "terminal/terminals-facet.h"

#include <signal.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "support/few-files.h"
#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

TEST_CASE("P07 a terminal outlives the connection that opened it") {
  TerminalTestWorld world;
  auto opened = world.open("echo $$; read line; echo still $line");
  world.disconnect();
  auto get = world.reconnect().getRequest();
  get.setId(opened.id);
  auto terminal = get.send().wait(world.scope).getTerminal();
  Seen seen;
  auto attachment = world.attach(terminal, seen);
  world.type(attachment, "here\n");
  seen.until("").wait(world.scope);
  CHECK(seen.has("still here"));
}

TEST_CASE(
    "sixteen ended terminals are kept, whoever was told of their end, until one is forgotten") {
  TerminalTestWorld world;
  uint64_t last = 0;
  for (kj::uint i = 0; i < ENDED_TERMINALS + 3; i++) last = world.open("echo out; exit 4").id;
  auto running = [&]() {
    kj::uint result = 0;
    auto response = world.terminals.listRequest().send().wait(world.scope);
    for (auto info : response.getTerminals()) result += info.getRunning();
    return result;
  };
  while (running() > 0) {
  }
  CHECK(world.count() == ENDED_TERMINALS);
  auto find = [&]() {
    auto get = world.terminals.getRequest();
    get.setId(last);
    return get.send().wait(world.scope);
  };
  // Whoever asks for the end, or sees it, takes nothing from the next.
  for (int i = 0; i < 2; ++i) {
    auto terminal = find().getTerminal();
    CHECK(terminal.waitRequest().send().wait(world.scope).getStatus().getExited() == 4);
    Seen seen;
    auto attachment = world.attach(terminal, seen);
    seen.until("").wait(world.scope);
    CHECK(seen.text() == "out\r\n");
  }
  CHECK(world.count() == ENDED_TERMINALS);
  find().getTerminal().closeRequest().send().wait(world.scope);
  CHECK(world.count() == ENDED_TERMINALS - 1);
  CHECK(find().getOutcome().isAbsent());
}

// Of a program that wrote more than is ever on its way to a viewer, and ended without one.
constexpr kj::uint UNSEEN_BYTES = 300000;

TerminalTestWorld::Opened openUnseen(TerminalTestWorld& world) {
  auto opened = world.open(kj::str("head -c ", UNSEEN_BYTES, " /dev/zero; exit 5"));
  while (opened.terminal.infoRequest().send().wait(world.scope).getInfo().getRunning()) {
  }
  return opened;
}

void forget(TerminalTestWorld& world, TerminalTestWorld::Opened& opened) {
  CHECK(opened.terminal.waitRequest().send().wait(world.scope).getStatus().getExited() == 5);
  opened.terminal.closeRequest().send().wait(world.scope);
}

TEST_CASE("S01 of terminals that are held after their end only the last have their output") {
  TerminalTestWorld world;
  kj::Vector<TerminalTestWorld::Opened> held;
  for (kj::uint i = 0; i < LEFT_TERMINALS + 1; i++) {
    held.add(openUnseen(world));
    forget(world, held.back());
  }
  CHECK(world.count() == 0);
  for (auto i : {size_t(1), LEFT_TERMINALS}) {
    Seen seen;
    auto attachment = world.attach(held[i].terminal, seen);
    seen.until("").wait(world.scope);
    CHECK(seen.bytes.size() == UNSEEN_BYTES);
    CHECK(seen.lost == 0);
  }
  // Of the first a gap and the end are left.
  Seen seen;
  auto request = world.attachRequest(held[0].terminal, seen);
  request.getFrom().setSequence(0);
  auto attached = request.send().wait(world.scope);
  CHECK(attached.getNext() == UNSEEN_BYTES);
  seen.until("").wait(world.scope);
  CHECK(seen.bytes.size() == 0);
  CHECK(seen.lost == UNSEEN_BYTES);
  CHECK(seen.exitCode.orDefault(99) == 5);
  auto response = held[0].terminal.infoRequest().send().wait(world.scope);
  CHECK(response.getInfo().getProduced() == UNSEEN_BYTES);
  held[0].terminal.closeRequest().send().wait(world.scope);
}

TEST_CASE("S01 terminals that are held after their end keep only so many control groups open") {
  TerminalTestWorld world;
  if (world.cgroupRoot == nullptr) SKIP("no cgroup v2 that this user may write");
  kj::Vector<TerminalTestWorld::Opened> held;
  auto holdMore = [&]() {
    for (kj::uint i = 0; i < 2 * LEFT_TERMINALS; i++) {
      held.add(openUnseen(world));
      forget(world, held.back());
    }
    return countDescriptors();
  };
  const auto before = holdMore();
  // Some may be on their way out.
  CHECK(holdMore() < before + LEFT_TERMINALS);
}

TEST_CASE("S01 a viewer that is slow at the end gets all, and its terminal counts as an open one") {
  TerminalTestWorld world;
  Seen seen;
  auto gate = kj::newPromiseAndFulfiller<void>();
  seen.gate = gate.promise.fork();
  auto opened = openUnseen(world);
  auto attachment = world.attach(opened.terminal, seen);
  forget(world, opened);
  CHECK(world.count() == 0);
  kj::Vector<TerminalTestWorld::Opened> others;
  for (kj::uint i = 0; i < LEFT_TERMINALS + 1; i++) {
    others.add(world.open("exit 5"));
    forget(world, others.back());
  }
  kj::Vector<TerminalTestWorld::Opened> running;
  auto isOpened = [&]() {
    auto request = world.terminals.openRequest();
    setArguments(request.initCommand(), {"sleep"_kj, "1000"_kj});
    TerminalTestWorld::SIZE.writeTo(request.initSize());
    auto response = request.send().wait(world.scope);
    if (!response.getOutcome().isOpened()) return false;
    running.add(TerminalTestWorld::Opened{response.getTerminal(), response.getId()});
    return true;
  };
  while (isOpened()) {
  }
  CHECK(running.size() == rpc::MAX_TERMINALS - 1);
  gate.fulfiller->fulfill();
  seen.until("").wait(world.scope);
  CHECK(seen.bytes.size() == UNSEEN_BYTES);
  CHECK(seen.lost == 0);
  CHECK(isOpened());
}

TEST_CASE("closing a terminal ends its whole tree") {
  TerminalTestWorld world;
  auto opened = world.open("sleep 1000 & sleep 1000 & echo up; sleep 1000");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("up").wait(world.scope);
  opened.terminal.closeRequest().send().wait(world.scope);
  world.onChildless().wait(world.scope);
  seen.until("").wait(world.scope);
  CHECK(world.count() == 0);
}

TEST_CASE("closing goes on when the caller has gone") {
  TerminalTestWorld world;
  auto opened = world.open("sleep 1000");
  {
    auto dropped = opened.terminal.closeRequest().send();
    dropped.poll(world.scope);
  }
  world.disconnect();
  world.onChildless().wait(world.scope);
}

TEST_CASE("a signal goes to the foreground process group") {
  TerminalTestWorld world;
  auto opened =
      world.open("trap 'echo hit; exit 0' USR1; echo ready; while :; do sleep 0.01; done");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready").wait(world.scope);
  auto signal = opened.terminal.signalRequest();
  signal.setNumber(SIGUSR1);
  CHECK(signal.send().wait(world.scope).getDelivered());
  seen.until("").wait(world.scope);
  CHECK(seen.has("hit"));
}

TEST_CASE("an empty command is the user's login shell") {
  TerminalTestWorld world;
  auto opened = world.open("");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  world.type(attachment, "echo $0:$(shopt -q login_shell && echo login):$PWD; exit 6\n");
  seen.until("").wait(world.scope);
  CHECK(seen.has(kj::str("-bash:login:", world.directory, "/home")));
  CHECK(seen.exitCode.orDefault(99) == 6);
}

TEST_CASE("P52 TERM is the client's if the workspace knows it, else xterm-256color") {
  TerminalTestWorld world;
  CHECK(world.run("echo $TERM", "known") == "known\r\n");
  CHECK(world.run("echo $TERM", "unknown") == "xterm-256color\r\n");
  CHECK(world.run("echo $TERM", "../k/known") == "xterm-256color\r\n");
  CHECK(world.run("echo $TERM") == "xterm-256color\r\n");
}

TEST_CASE("P52 the terminal's character set is UTF-8") {
  TerminalTestWorld world;
  CHECK(world.run("locale charmap; stty -a | grep -o ' iutf8'") == "UTF-8\r\n iutf8\r\n");
}

TEST_CASE("P40 a terminal has the same environment as an exec, and TERM") {
  TerminalTestWorld world;
  auto text = world.run("env | grep -E '^(PATH|HOME|USER|LANG|SHELL)=' | sort");
  auto path = world.uid == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                             : "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
  CHECK(text == kj::str("HOME=", world.directory, "/home\r\nLANG=C.UTF-8\r\nPATH=", path,
                        "\r\nSHELL=/bin/bash\r\nUSER=user\r\n"));
}

TEST_CASE("S41 a terminal is a session of its own, and not the agent's terminal") {
  TerminalTestWorld world;
  // pid, session and foreground group are one; the device is the controlling terminal.
  CHECK(world.run("read -r pid name state parent group session tty foreground rest < /proc/$$/stat;"
                  "test $pid = $session && test $pid = $foreground && test $tty != 0 && echo own; "
                  "echo ctty > /dev/tty") == "own\r\nctty\r\n");
}

TEST_CASE("a program that does not start leaves no terminal") {
  TerminalTestWorld world;
  auto request = world.terminals.openRequest();
  setArguments(request.initCommand(), {"no-such-program"_kj});
  world.SIZE.writeTo(request.initSize());
  auto response = request.send().wait(world.scope);
  REQUIRE(response.getOutcome().isFailed());
  CHECK(response.getOutcome().getFailed().getReason() ==
        rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
  CHECK(world.count() == 0);
}

TEST_CASE("fifty terminals work at once") {
  TerminalTestWorld world;
  struct One {
    Seen seen;
    rpc::Attachment::Client attachment = nullptr;
  };
  kj::Vector<kj::Own<One>> all;
  for (kj::uint i = 0; i < 50; i++) {
    auto one = kj::heap<One>();
    one->attachment = world.attach(
        world.open(kj::str("read line; echo got $line; exit ", i)).terminal, one->seen);
    all.add(kj::mv(one));
  }
  auto list = world.terminals.listRequest().send().wait(world.scope);
  REQUIRE(list.getTerminals().size() == 50);
  for (auto& one : all) world.type(one->attachment, "it\n");
  for (kj::uint i = 0; i < all.size(); i++) {
    all[i]->seen.until("").wait(world.scope);
    CHECK(all[i]->seen.exitCode.orDefault(99) == i);
    CHECK(all[i]->seen.has("got "));
  }
}

TEST_CASE("P40 a terminal of a user without a home says so before anything else") {
  TerminalTestWorld world;
  gid_t gid = geteuid() == 0 ? world.uid : getegid();
  world.writeEtc("passwd", kj::str("user:x:", world.uid, ":", gid, "::/nonexistent:/bin/sh\n"));
  CHECK(world.run("echo $PWD $HOME") ==
        "/nonexistent: No such file or directory: running in / with HOME=/\r\n/ /\r\n");
}

TEST_CASE("P13 a terminal's command whose time is over is ended, and its viewer sees why") {
  TerminalTestWorld world;
  auto request = world.terminals.openRequest();
  auto command = request.initCommand();
  setShell(command, "sleep 1000 & sleep 1000");
  command.setTimeoutMillis(1);
  TerminalTestWorld::SIZE.writeTo(request.initSize());
  auto opened = request.send().wait(world.scope);
  auto status = opened.getTerminal().waitRequest().send().wait(world.scope);
  CHECK(status.getStatus().isTimedOut());
}

}  // namespace
}  // namespace bothy
