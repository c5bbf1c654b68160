#include "client/workspace-lane.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "client/client-test-world.h"

namespace bothy {
namespace {

// What a call over the lane fails with.
kj::Exception failureOf(ClientTestWorld& world, WorkspaceLane& lane) {
  auto thrown = kj::runCatchingExceptions(
      [&] { lane.agent().processesRequest().send().wait(world.io.waitScope); });
  return kj::mv(KJ_REQUIRE_NONNULL(thrown));
}

TEST_CASE("a lane that the agent serves is not refused, and tells the boot to which it leads") {
  ClientTestWorld world;
  world.supervisor.startedNanos = 17;
  auto lane = world.newLane();
  CHECK(lane->startedNanos() == 17);
  CHECK(lane->whyRefused().wait(world.io.waitScope) == nullptr);
  // As often as it is asked.
  CHECK(lane->whyRefused().wait(world.io.waitScope) == nullptr);
  lane->agent().processesRequest().send().wait(world.io.waitScope);
}

TEST_CASE("a refusal is known before a call fails for it") {
  ClientTestWorld world;
  world.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  auto lane = world.newLane();
  CHECK_FALSE(lane->wasRefused());
  CHECK(failureOf(world, *lane).getType() == kj::Exception::Type::DISCONNECTED);
  CHECK(lane->wasRefused());
  CHECK(KJ_REQUIRE_NONNULL(lane->whyRefused().wait(world.io.waitScope)) ==
        rpc::Refusal::TOO_MANY_LANES);
}

TEST_CASE("a lane that breaks before the agent's answer is lost, and not refused") {
  ClientTestWorld world;
  world.supervisor.cuts.add(0);
  auto lane = world.newLane();
  auto thrown = kj::runCatchingExceptions([&] { lane->whyRefused().wait(world.io.waitScope); });
  CHECK(KJ_REQUIRE_NONNULL(thrown).getType() == kj::Exception::Type::DISCONNECTED);
  CHECK_FALSE(lane->wasRefused());
}

TEST_CASE("a lane ends with its last reference") {
  ClientTestWorld world;
  auto lane = world.newLane();
  auto exec = lane->agent().processesRequest().send().getProcesses().execRequest();
  exec.initCommand().initArgv(1).set(0, "sleep");
  auto started = exec.send().wait(world.io.waitScope);
  auto another = kj::addRef(*lane);
  lane = nullptr;
  world.settle();
  CHECK_FALSE(world.supervisor.program.dropped);
  another = nullptr;
  world.settle();
  CHECK(world.supervisor.program.dropped);
}

}  // namespace
}  // namespace bothy
