#include "terminal/terminals-facet.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "process/test-world.h"
#include "schema/limits.capnp.h"
#include "terminal/terminfo.h"
#include "terminal/window-size.h"

namespace bothy {
namespace {

// What a viewer saw, in words of its events; outlives the viewer.
struct Seen {
  kj::Vector<kj::byte> bytes;
  uint64_t next = 0;  // sequence after the last byte
  uint64_t lost = 0;
  kj::Vector<WindowSize> sizes;
  kj::Maybe<size_t> bytesBeforeResize;
  kj::Maybe<uint8_t> exitCode;
  bool ended = false;
  bool inOrder = true;
  kj::Maybe<kj::ForkedPromise<void>> gate;  // set: outputs do not return until it is resolved

  kj::String awaited;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> fulfiller;

  kj::String text() const {
    return kj::heapString(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  }
  bool has(kj::StringPtr part) const {
    return bytes.size() >= part.size() && part.size() > 0 &&
           memmem(bytes.begin(), bytes.size(), part.begin(), part.size()) != nullptr;
  }

  // Resolves when `part` has been seen, or the end if it is empty.
  kj::Promise<void> until(kj::StringPtr part) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    awaited = kj::str(part);
    fulfiller = kj::mv(paf.fulfiller);
    check();
    return kj::mv(paf.promise);
  }
  void check() {
    KJ_IF_MAYBE (f, fulfiller) {
      if (ended || (awaited.size() > 0 && has(awaited))) (*f)->fulfill();
    }
  }
};

class SeeingViewer final: public rpc::TerminalViewer::Server {
public:
  explicit SeeingViewer(Seen& seen) : seen(seen) {}

  kj::Promise<void> output(OutputContext context) override {
    auto params = context.getParams();
    if (seen.ended || (seen.bytes.size() + seen.lost > 0 && params.getSequence() != seen.next)) {
      seen.inOrder = false;
    }
    seen.next = params.getSequence() + params.getData().size();
    seen.bytes.addAll(params.getData());
    seen.check();
    KJ_IF_MAYBE (gate, seen.gate) {
      return gate->addBranch();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> gap(GapContext context) override {
    auto params = context.getParams();
    if (seen.bytes.size() + seen.lost > 0 && params.getSequence() != seen.next) {
      seen.inOrder = false;
    }
    seen.lost += params.getLost();
    seen.next = params.getSequence() + params.getLost();
    return kj::READY_NOW;
  }
  kj::Promise<void> resized(ResizedContext context) override {
    seen.sizes.add(WindowSize::read(context.getParams().getSize()));
    seen.bytesBeforeResize = seen.bytes.size();
    return kj::READY_NOW;
  }
  kj::Promise<void> exited(ExitedContext context) override {
    if (seen.ended) seen.inOrder = false;
    auto status = context.getParams().getStatus();
    if (status.isExited()) seen.exitCode = status.getExited();
    seen.ended = true;
    seen.check();
    return kj::READY_NOW;
  }

private:
  Seen& seen;
};

constexpr WindowSize SIZE = {132, 43};

struct World: public TestWorld {
  explicit World(Trees trees = Trees::CGROUPS_IF_POSSIBLE) : TestWorld(trees) {
    auto terminfo = kj::str(directory, "/etc/terminfo");
    KJ_SYSCALL(mkdir(terminfo.cStr(), 0755));
    KJ_SYSCALL(mkdir(kj::str(terminfo, "/k").cStr(), 0755));
    writeEtc("terminfo/k/known", "");
    registry = kj::heap<TerminalRegistry>(*host, kj::arr(kj::mv(terminfo)));
    terminals = reconnect();
  }
  ~World() noexcept(false) { disconnect(); }

  kj::Own<TerminalRegistry> registry;
  rpc::Terminals::Client terminals = nullptr;

  rpc::Terminals::Client reconnect() {
    return connect<rpc::Terminals>(newTerminalsFacet(*registry));
  }

  struct Opened {
    rpc::Terminal::Client terminal;
    uint64_t id;
  };
  Opened open(kj::StringPtr script, kj::StringPtr term = "", WindowSize size = SIZE) {
    auto request = terminals.openRequest();
    if (script.size() > 0) setShell(request.initCommand(), script);
    size.writeTo(request.initSize());
    request.setTerm(term);
    auto response = request.send().wait(scope);
    REQUIRE(response.getOutcome().isOpened());
    return {response.getTerminal(), response.getId()};
  }

  using AttachRequest = capnp::Request<rpc::Terminal::AttachParams, rpc::Terminal::AttachResults>;
  AttachRequest attachRequest(rpc::Terminal::Client terminal, Seen& seen) {
    auto request = terminal.attachRequest();
    request.initFrom().setOldest();
    request.setOutput(kj::heap<SeeingViewer>(seen));
    return request;
  }
  rpc::Attachment::Client attach(rpc::Terminal::Client terminal, Seen& seen) {
    return attachRequest(terminal, seen).send().wait(scope).getAttachment();
  }
  void type(rpc::Terminal::Client terminal, kj::StringPtr text) {
    auto request = terminal.writeRequest();
    request.setData(text.asBytes());
    request.send().wait(scope);
  }
  // Runs a script to its end; what it wrote.
  kj::String run(kj::StringPtr script, kj::StringPtr term = "") {
    Seen seen;
    auto attachment = attach(open(script, term).terminal, seen);
    seen.until("").wait(scope);
    return seen.text();
  }
  kj::uint count() { return terminals.listRequest().send().wait(scope).getTerminals().size(); }
};

TEST_CASE("P04 a fast command on a terminal shows all its output, and its code after it") {
  World world;
  kj::uint repetitions = getenv("BOTHY_FULL") != nullptr ? 1000 : 200;
  for (kj::uint i = 0; i < repetitions; i++) {
    Seen seen;
    auto attachment = world.attach(world.open("printf x; exit 7").terminal, seen);
    seen.until("").wait(world.scope);
    REQUIRE(seen.text() == "x");
    REQUIRE(seen.exitCode.orDefault(99) == 7);
    REQUIRE(seen.inOrder);
  }
  while (world.count() > 0) {  // each end was told
  }
}

TEST_CASE("P04 a long output comes whole before the end, also when nobody looked") {
  World world;
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

TEST_CASE("P03 the first command sees the client's size") {
  World world;
  CHECK(world.run("stty size") == "43 132\r\n");
}

TEST_CASE("P03 a resize reaches the program and every viewer, where it happened in the output") {
  World world;
  auto opened =
      world.open("trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done");
  Seen one, two;
  auto first = world.attach(opened.terminal, one);
  auto second = world.attach(opened.terminal, two);
  one.until("ready\r\n").wait(world.scope);
  auto resize = opened.terminal.resizeRequest();
  WindowSize{80, 24}.writeTo(resize.initSize());
  resize.send().wait(world.scope);
  one.until("").wait(world.scope);
  two.until("").wait(world.scope);
  for (auto* seen : {&one, &two}) {
    CHECK(seen->text() == "ready\r\n24 80\r\n");
    REQUIRE(seen->sizes.size() == 1);
    CHECK(seen->sizes[0] == WindowSize{80, 24});
    CHECK(seen->bytesBeforeResize.orDefault(0) == strlen("ready\r\n"));
  }
}

TEST_CASE("P03 the size of whoever attaches is applied before the first byte") {
  World world;
  auto opened = world.open("read line; stty size");
  Seen seen;
  auto request = world.attachRequest(opened.terminal, seen);
  WindowSize{100, 30}.writeTo(request.initSize().initSize());
  auto attachment = request.send().wait(world.scope).getAttachment();
  world.type(opened.terminal, "\n");
  seen.until("").wait(world.scope);
  CHECK(seen.has("30 100"));
  CHECK(seen.sizes.size() == 0);
}

TEST_CASE("P03 a size of 0x0 is refused") {
  World world;
  auto request = world.terminals.openRequest();
  CHECK_THROWS_AS(request.send().wait(world.scope), kj::Exception);
  auto opened = world.open("read line");
  auto resize = opened.terminal.resizeRequest();
  WindowSize{80, 4097}.writeTo(resize.initSize());
  CHECK_THROWS_AS(resize.send().wait(world.scope), kj::Exception);
}

TEST_CASE("P06 Ctrl-C ends a flood that a viewer cannot keep up with") {
  World world;
  auto opened = world.open("yes");
  Seen seen;
  auto gate = kj::newPromiseAndFulfiller<void>();
  seen.gate = gate.promise.fork();
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("y").wait(world.scope);
  // The viewer takes nothing more; what the agent holds for it does not grow.
  world.type(opened.terminal, "\x03");
  auto wait = opened.terminal.waitRequest().send().wait(world.scope);
  CHECK(wait.getStatus().getKilled() == SIGINT);
  auto produced = opened.terminal.infoRequest().send().wait(world.scope).getInfo().getProduced();
  CHECK(produced <= rpc::SCROLLBACK_BYTES);
  gate.fulfiller->fulfill();
  seen.until("").wait(world.scope);
  CHECK(seen.bytes.size() == produced);
  CHECK(seen.lost == 0);
}

TEST_CASE("P06 a flood that nobody watches slows no other terminal") {
  World world;
  auto flood = world.open("yes");
  CHECK(world.run("echo other") == "other\r\n");
  auto close = flood.terminal.closeRequest().send();
  close.wait(world.scope);
  while (world.count() > 0) {
  }
}

TEST_CASE("P05 1 MiB pasted into a program in raw mode arrives byte-exact") {
  World world;
  auto opened = world.open("stty raw -echo; echo ready; head -c 1048576 > pasted; echo done");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready").wait(world.scope);
  auto request = opened.terminal.writeRequest();
  auto data = request.initData(1048576);
  kj::StringPtr pattern = "äöü€ \x01\x7f 🙂 ";  // no character ends where a chunk does
  for (kj::uint i = 0; i < data.size(); i++) data[i] = pattern[i % pattern.size()];
  auto expected = kj::heapArray<kj::byte>(data);
  request.send().wait(world.scope);
  seen.until("done").wait(world.scope);
  CHECK(world.readHome("pasted").asBytes() == expected.asPtr());
}

TEST_CASE("input of several writers is not mixed within a call") {
  World world;
  auto opened = world.open("stty raw -echo; echo ready; head -c 400000 > typed; echo done");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready").wait(world.scope);
  auto other = world.reconnect().getRequest();
  other.setId(opened.id);
  auto second = other.send().wait(world.scope).getTerminal();
  kj::Vector<kj::Promise<void>> writes;
  for (char letter : {'a', 'b'}) {
    auto request = (letter == 'a' ? opened.terminal : second).writeRequest();
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
  World world;
  auto opened = world.open("stty raw -echo; echo ready; sleep 1000");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready").wait(world.scope);
  auto request = opened.terminal.writeRequest();
  request.initData(1048576);
  auto written = [&]() {
    auto sent = request.send();
    return opened.terminal.infoRequest().send().ignoreResult().attach(kj::mv(sent));
  }();
  CHECK_FALSE(written.poll(world.scope));
  // Every other call on this capability comes behind the write: signals go by another one.
  auto other = world.reconnect().getRequest();
  other.setId(opened.id);
  auto second = other.send().wait(world.scope).getTerminal();
  auto kill = second.signalRequest();
  kill.setNumber(SIGKILL);
  CHECK(kill.send().wait(world.scope).getDelivered());
  kj::Maybe<kj::Exception> failure =
      kj::runCatchingExceptions([&]() { written.wait(world.scope); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::DISCONNECTED);
}

TEST_CASE("P01 whoever attaches again by sequence gets each byte once") {
  World world;
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
  world.type(terminal, "\n");
  after.until("\n30000\n").wait(world.scope);
  kj::Vector<char> expected;
  for (kj::uint i = 1; i <= 20000; i++) expected.addAll(kj::str(i, '\n'));
  auto all = kj::str(before.text(), after.text());
  CHECK(all.startsWith(kj::heapString(expected.asPtr())));
  CHECK(after.inOrder);
  CHECK(after.lost == 0);
}

TEST_CASE("P02 what the scrollback has lost is announced with its size") {
  World world;
  auto opened = world.open("head -c 3000000 /dev/zero; echo end; read line");
  auto info = [&]() { return opened.terminal.infoRequest().send().wait(world.scope); };
  // Nobody is attached: nothing holds the program back.
  while (info().getInfo().getProduced() < 3000005) {
  }
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
  World world;
  auto opened = world.open("read line; head -c 8000000 /dev/zero; exit 1");
  Seen fast, slow;
  auto gate = kj::newPromiseAndFulfiller<void>();
  slow.gate = gate.promise.fork();
  auto first = world.attach(opened.terminal, fast);
  auto second = world.attach(opened.terminal, slow);
  world.type(opened.terminal, "\n");
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
  World world;
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
  World world;
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
  World world;
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

TEST_CASE("P07 a terminal outlives the connection that opened it") {
  World world;
  auto opened = world.open("echo $$; read line; echo still $line");
  world.disconnect();
  auto get = world.reconnect().getRequest();
  get.setId(opened.id);
  auto terminal = get.send().wait(world.scope).getTerminal();
  Seen seen;
  auto attachment = world.attach(terminal, seen);
  world.type(terminal, "here\n");
  seen.until("").wait(world.scope);
  CHECK(seen.has("still here"));
}

TEST_CASE("an ended terminal is kept until somebody was told, sixteen of them at most") {
  World world;
  uint64_t last = 0;
  for (kj::uint i = 0; i < ENDED_TERMINALS + 3; i++) last = world.open("exit 4").id;
  auto running = [&]() {
    kj::uint result = 0;
    auto response = world.terminals.listRequest().send().wait(world.scope);
    for (auto info : response.getTerminals()) result += info.getRunning();
    return result;
  };
  while (running() > 0) {
  }
  CHECK(world.count() == ENDED_TERMINALS);
  auto get = world.terminals.getRequest();
  get.setId(last);
  auto terminal = get.send().wait(world.scope).getTerminal();
  CHECK(terminal.waitRequest().send().wait(world.scope).getStatus().getExited() == 4);
  CHECK(world.count() == ENDED_TERMINALS - 1);
  get = world.terminals.getRequest();
  get.setId(last);
  CHECK(get.send().wait(world.scope).getOutcome().isAbsent());
}

TEST_CASE("closing a terminal ends its whole tree") {
  World world;
  auto opened = world.open("sleep 1000 & sleep 1000 & echo up; sleep 1000");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("up").wait(world.scope);
  opened.terminal.closeRequest().send().wait(world.scope);
  world.host->reaper.onChildless().wait(world.scope);
  seen.until("").wait(world.scope);
  CHECK(world.count() == 0);
}

TEST_CASE("closing goes on when the caller has gone") {
  World world;
  auto opened = world.open("sleep 1000");
  {
    auto dropped = opened.terminal.closeRequest().send();
    dropped.poll(world.scope);
  }
  world.disconnect();
  world.host->reaper.onChildless().wait(world.scope);
}

TEST_CASE("a signal goes to the foreground process group") {
  World world;
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
  World world;
  auto opened = world.open("");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  world.type(opened.terminal, "echo $0:$(shopt -q login_shell && echo login):$PWD; exit 6\n");
  seen.until("").wait(world.scope);
  CHECK(seen.has(kj::str("-bash:login:", world.directory, "/home")));
  CHECK(seen.exitCode.orDefault(99) == 6);
}

TEST_CASE("P52 TERM is the client's if the workspace knows it, else xterm-256color") {
  World world;
  CHECK(world.run("echo $TERM", "known") == "known\r\n");
  CHECK(world.run("echo $TERM", "unknown") == "xterm-256color\r\n");
  CHECK(world.run("echo $TERM", "../k/known") == "xterm-256color\r\n");
  CHECK(world.run("echo $TERM") == "xterm-256color\r\n");
}

TEST_CASE("P52 the terminal's character set is UTF-8") {
  World world;
  CHECK(world.run("locale charmap; stty -a | grep -o ' iutf8'") == "UTF-8\r\n iutf8\r\n");
}

TEST_CASE("P40 a terminal has the same environment as an exec, and TERM") {
  World world;
  auto text = world.run("env | grep -E '^(PATH|HOME|USER|LANG|SHELL)=' | sort");
  auto path = world.uid == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                             : "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
  CHECK(text == kj::str("HOME=", world.directory, "/home\r\nLANG=C.UTF-8\r\nPATH=", path,
                        "\r\nSHELL=/bin/bash\r\nUSER=user\r\n"));
}

TEST_CASE("S41 a terminal is a session of its own, and not the agent's terminal") {
  World world;
  // pid, session and foreground group are one; the device is the controlling terminal.
  CHECK(world.run("read -r pid name state parent group session tty foreground rest < /proc/$$/stat;"
                  "test $pid = $session && test $pid = $foreground && test $tty != 0 && echo own; "
                  "echo ctty > /dev/tty") == "own\r\nctty\r\n");
}

TEST_CASE("a program that does not start leaves no terminal") {
  World world;
  auto request = world.terminals.openRequest();
  setArguments(request.initCommand(), {"no-such-program"_kj});
  SIZE.writeTo(request.initSize());
  auto response = request.send().wait(world.scope);
  REQUIRE(response.getOutcome().isFailed());
  CHECK(response.getOutcome().getFailed().getReason() ==
        rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
  CHECK(world.count() == 0);
}

TEST_CASE("fifty terminals work at once") {
  World world;
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
  for (auto info : list.getTerminals()) {
    auto get = world.terminals.getRequest();
    get.setId(info.getId());
    world.type(get.send().getTerminal(), kj::str(info.getId(), "\n"));
  }
  for (kj::uint i = 0; i < all.size(); i++) {
    all[i]->seen.until("").wait(world.scope);
    CHECK(all[i]->seen.exitCode.orDefault(99) == i);
    CHECK(all[i]->seen.has("got "));
  }
}

}  // namespace
}  // namespace bothy
