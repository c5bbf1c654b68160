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
  TerminalTestWorld world;
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
  TerminalTestWorld world;
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

}  // namespace
}  // namespace bothy
