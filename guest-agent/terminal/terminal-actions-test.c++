// What is told of what clients do to terminals.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>

#include "process/test-actions.h"
#include "terminal/terminal-test-world.h"
#include "terminal/terminals-facet.h"

namespace bothy {
namespace {

struct World: public TerminalTestWorld {
  kj::Own<TestActions> actions = kj::refcounted<TestActions>();

  World() { terminals = connect(actions); }
  rpc::Terminals::Client connect(kj::Own<TestActions>& who) {
    return TerminalTestWorld::connect<rpc::Terminals>(newTerminalsFacet(*registry, who->addRef()));
  }
  rpc::Terminal::Client get(rpc::Terminals::Client from, uint64_t id) {
    auto request = from.getRequest();
    request.setId(id);
    return request.send().wait(scope).getTerminal();
  }
};

TEST_CASE("a terminal is told of once with its start, and one that does not start is not") {
  World world;
  auto id = world.open("read x").id;
  CHECK(world.actions->text() == kj::str("started terminal sh ", id));
  auto request = world.terminals.openRequest();
  setShell(request.initCommand(), "");
  request.getCommand().setWorkingDirectory("/no/such/place");
  TerminalTestWorld::SIZE.writeTo(request.initSize());
  CHECK(request.send().wait(world.scope).getOutcome().isFailed());
  CHECK(world.actions->lines.size() == 1);
}

TEST_CASE("a terminal whose opening was given up is told of all the same, once") {
  World world;
  auto open = [&]() {
    auto request = world.terminals.openRequest();
    setShell(request.initCommand(), "read x");
    TerminalTestWorld::SIZE.writeTo(request.initSize());
    request.setRequestId("once");
    return request.send();
  };
  {
    auto dropped = open();
    dropped.poll(world.scope);
  }
  world.disconnect();
  world.await([&]() { return world.actions->lines.size() > 0; });
  world.terminals = world.connect(world.actions);
  auto id = open().wait(world.scope).getId();
  CHECK(world.actions->text() == kj::str("started terminal sh ", id));
}

TEST_CASE("an opening that is given up and cannot be had later is told of as such") {
  World world;
  {
    rpc::Terminals::Client here = newTerminalsFacet(*world.registry, world.actions->addRef());
    auto request = here.openRequest();
    setShell(request.initCommand(), "read x");
    TerminalTestWorld::SIZE.writeTo(request.initSize());
    auto dropped = request.send();
    // Its program starts, and nobody has heard yet that it did.
    while (world.programs->spawner.startingBytes() == 0) world.scope.poll(1);
  }
  CHECK(world.actions->text() == "gave up terminal sh");
}

TEST_CASE(
    "who attaches to another's terminal, types, signals and closes is told of, once for all keys") {
  World world;
  auto id = world.open("read x; read x; read x").id;
  auto other = kj::refcounted<TestActions>();
  auto theirs = world.get(world.connect(other), id);
  CHECK(other->lines.size() == 0);
  Seen seen;
  auto attachment = world.attach(theirs, seen);
  CHECK(other->text() == kj::str("terminal attached terminal ", id));
  world.type(attachment, "a\n");
  world.type(attachment, "b\n");
  world.resize(attachment, TerminalTestWorld::SIZE);
  auto signal = theirs.signalRequest();
  signal.setNumber(SIGWINCH);
  signal.send().wait(world.scope);
  theirs.closeRequest().send().wait(world.scope);
  CHECK(other->text() ==
        kj::str("terminal attached terminal ", id, "; terminal typed into terminal ", id,
                "; terminal signalled terminal ", id, "; terminal closed terminal ", id));
  CHECK(world.actions->lines.size() == 1);
}

TEST_CASE("who looks at a terminal is told of, and what is refused to him is not") {
  World world;
  auto id = world.open("read x").id;
  auto other = kj::refcounted<TestActions>();
  auto viewed = world.connect(other).viewRequest().send().wait(world.scope).getTerminals();
  auto theirs = world.get(viewed, id);
  Seen seen;
  auto attachment = world.attach(theirs, seen);
  CHECK_THROWS(theirs.closeRequest().send().wait(world.scope));
  auto write = attachment.writeRequest();
  write.setData("evil"_kj.asBytes());
  CHECK_THROWS([&]() {
    write.send().wait(world.scope);
    world.resize(attachment, TerminalTestWorld::SIZE);
  }());
  CHECK(other->text() == kj::str("terminal looked at terminal ", id));
}

}  // namespace
}  // namespace bothy
