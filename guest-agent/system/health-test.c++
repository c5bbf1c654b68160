#include "system/health.h"

#include <capnp/message.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("the uptime is read in milliseconds") {
  CHECK(parseUptimeMillis("350735.47 234388.90\n") == 350735470);
  CHECK(parseUptimeMillis("") == 0);
  CHECK(parseUptimeMillis("-1") == 0);
}

TEST_CASE("the load is the first number") {
  CHECK(parseLoad1("0.25 0.18 0.12 1/80 11206\n") == 0.25f);
  CHECK(parseLoad1("") == 0);
}

TEST_CASE("the machine it runs on has memory, processors and at least this process") {
  capnp::MallocMessageBuilder message;
  auto health = message.initRoot<rpc::Health>();
  LoopTouches touches;
  measureHealth(health, DiskSpace::NOT_TOLD, touches.markOfAnybody());
  // Who lists what is listed here may hold it up.
  CHECK(touches.state().number > 0);
  CHECK_FALSE(touches.state().isTouch());
  CHECK(health.getMemoryTotalBytes() >= health.getMemoryAvailableBytes());
  CHECK(health.getAgentMemoryBytes() > 0);
  CHECK(health.getCpus() >= 1);
  CHECK(health.getProcesses() >= 1);
  CHECK(health.getDiskTotalBytes() == 0);
}

}  // namespace
}  // namespace bothy
