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

TEST_CASE("a field is found by its whole name at the start of a line") {
  auto text = "VmRSSX:\t 1 kB\nxVmRSS:\t2 kB\nVmRSS:\t  2764 kB\nvoluntary_ctxt_switches:\t42\n"_kj;
  CHECK(parseField(text, "VmRSS") == 2764);
  CHECK(parseField(text, "voluntary_ctxt_switches") == 42);
  CHECK(parseField(text, "Vm") == 0);
  CHECK(parseField("", "VmRSS") == 0);
}

TEST_CASE("the load is the first number") {
  CHECK(parseLoad1("0.25 0.18 0.12 1/80 11206\n") == 0.25f);
  CHECK(parseLoad1("") == 0);
}

TEST_CASE("the machine it runs on has memory, processors and at least this process") {
  capnp::MallocMessageBuilder message;
  auto health = message.initRoot<rpc::Health>();
  measureHealth(health, DiskSpace::NOT_TOLD);
  CHECK(health.getMemoryTotalBytes() >= health.getMemoryAvailableBytes());
  CHECK(health.getAgentMemoryBytes() > 0);
  CHECK(health.getCpus() >= 1);
  CHECK(health.getProcesses() >= 1);
  CHECK(health.getDiskTotalBytes() == 0);
}

}  // namespace
}  // namespace bothy
