// What is told of the programs that clients start.

#include <catch2/catch_test_macros.hpp>

#include "process/processes-facet.h"
#include "process/test-actions.h"
#include "process/test-hanging-directory.h"
#include "process/test-world.h"

namespace bothy {
namespace {

struct World: public TestWorld {
  kj::Own<TestActions> actions = kj::refcounted<TestActions>();
  kj::Own<TestActions> others = kj::refcounted<TestActions>();
  ProcessesFacets facets = newProcessesFacets(*programs);
  rpc::Processes::Client processes = connect(*actions);
  Collected out;

  rpc::Processes::Client connect(TestActions& who) {
    return TestWorld::connect<rpc::Processes>(facets(who.addRef()));
  }
  auto request(rpc::Processes::Client from, kj::StringPtr requestId = nullptr) {
    auto result = from.execRequest();
    setShell(result.initCommand(), "read x");
    result.setStdout(collectInto(out));
    result.setKeep(requestId.size() > 0);
    result.setRequestId(requestId);
    return result;
  }
};

TEST_CASE("a start is given up that is under way when the last of the programs' clients goes") {
  World world;
  // They are this client's alone, who has one that is kept: what remembers its request id stays with it.
  auto processes = newProcessesFacets(*world.programs)(world.actions->addRef());
  rpc::Processes::Client client = kj::mv(processes);
  auto kept = world.request(client, "first").send().wait(world.scope);
  REQUIRE(kept.getOutcome().isStarted());
  auto program = kept.getProcess();
  HangingDirectory hanging;
  if (!hanging.isMounted) SKIP("no FUSE file system can be mounted here");
  auto starting = world.request(client, "second");
  starting.getCommand().setWorkingDirectory(hanging.path);
  auto second = starting.send();
  CHECK_FALSE(second.poll(world.scope));
  {
    auto givenUp = kj::mv(second);
  }
  client = nullptr;
  // What the kept one holds is there still.
  CHECK(program.infoRequest().send().wait(world.scope).getPid() != 0);
  REQUIRE(world.actions->lines.size() == 2);
  CHECK(world.actions->lines[1] == "gave up command sh");
}

TEST_CASE("a program is told of with its start, and one that does not start is not") {
  World world;
  auto started = world.request(world.processes).send().wait(world.scope);
  CHECK(world.actions->text() == "started command sh 0");
  auto failing = world.request(world.processes);
  failing.getCommand().setWorkingDirectory("/no/such/place");
  CHECK(failing.send().wait(world.scope).getOutcome().isFailed());
  CHECK(world.actions->lines.size() == 1);
}

TEST_CASE("a program whose start was given up is told of all the same, once, and who has it then") {
  World world;
  {
    auto dropped = world.request(world.processes, "once").send();
    dropped.poll(world.scope);
  }
  world.disconnect();
  world.await([&]() { return world.actions->lines.size() > 0; });
  auto again = world.request(world.connect(*world.others), "once").send().wait(world.scope);
  CHECK(world.actions->text() == kj::str("started command sh ", again.getId()));
  CHECK(world.others->text() == kj::str("program reattached command ", again.getId()));
}

TEST_CASE("a start that is given up and cannot be had later is told of as such") {
  World world;
  {
    rpc::Processes::Client here = world.facets(world.actions->addRef());
    auto dropped = world.request(here).send();
    // The program starts, and nobody has heard yet that it did.
    while (world.programs->spawner.startingBytes() == 0) world.scope.poll(1);
  }
  CHECK(world.actions->text() == "gave up command sh");
}

TEST_CASE("who reattaches to a program is told of") {
  World world;
  auto first = world.request(world.processes, "once").send().wait(world.scope);
  auto request = world.connect(*world.others).reattachRequest();
  request.setId(first.getId());
  request.setStdout(collectInto(world.out));
  CHECK(request.send().wait(world.scope).getOutcome().isAttached());
  CHECK(world.others->text() == kj::str("program reattached command ", first.getId()));
}

}  // namespace
}  // namespace bothy
