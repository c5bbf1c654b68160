#include "workspace/kernel-command-line.h"

#include <kj/debug.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("S23 the guest's hardening is not switched off for speed") {
  auto name = KJ_ASSERT_NONNULL(WorkspaceName::parse("demo"));
  for (uint32_t cpus : {1, 2, 16}) {
    auto line = kernelCommandLine(name, cpus);
    for (auto word : {"nokaslr", "mitigations", "nosmep", "nosmap", "nopti", "spec", "init_on"}) {
      INFO(word);
      CHECK(strstr(line.cStr(), word) == nullptr);
    }
  }
}

TEST_CASE("one CPU is told that it stays alone") {
  auto name = KJ_ASSERT_NONNULL(WorkspaceName::parse("demo"));
  CHECK(kernelCommandLine(name, 1) ==
        "console=ttyS0 quiet panic=-1 no_timer_check noreplace-smp bothy.hostname=demo");
  CHECK(kernelCommandLine(name, 2) ==
        "console=ttyS0 quiet panic=-1 no_timer_check bothy.hostname=demo");
}

}  // namespace
}  // namespace bothy
