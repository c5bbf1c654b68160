#include "process/proc-text.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("what the kernel says of a process is read behind its name, which may hold anything") {
  auto stat =
      KJ_REQUIRE_NONNULL(ProcessStat::parse("45 (x) S 1 45 45 34816) Z 7 8 9 -1 4194304 0"));
  CHECK(stat.pid == 45);
  CHECK(stat.state == 'Z');
  CHECK(stat.hasEnded());
  CHECK(stat.parent == 7);
  CHECK(stat.group == 8);
  CHECK(stat.session == 9);
  CHECK(stat.terminal == -1);
}

TEST_CASE("what is not of a process says nothing of one") {
  for (auto text : {"", "nonsense", "45 (x", "45 (x) S 1 45", "(x) S 1 45 45 0"}) {
    INFO(text);
    CHECK(ProcessStat::parse(text) == nullptr);
  }
}

TEST_CASE("a field is found by its whole name at the start of a line") {
  auto text = "VmRSSX:\t 1 kB\nxVmRSS:\t2 kB\nVmRSS:\t  2764 kB\nvoluntary_ctxt_switches:\t42\n"_kj;
  CHECK(parseField(text, "VmRSS") == 2764);
  CHECK(parseField(text, "voluntary_ctxt_switches") == 42);
  CHECK(parseField(text, "Vm") == 0);
  CHECK(parseField("", "VmRSS") == 0);
}

}  // namespace
}  // namespace bothy
