// What a start of a real machine asks of its QEMU.

#include <stdlib.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "vm/testing/driver-fixture.h"

namespace bothy {
namespace {

// With a question for each feature that a CPU may have there are 300 more.
constexpr size_t MOST_COMMANDS = 100;
// As libvirt's log has each.
constexpr const char* SENT = "QEMU_MONITOR_SEND_MSG";

size_t countOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) count++;
  return count;
}

TEST_CASE("a start asks QEMU few commands: none for each feature that a CPU may have") {
  NEEDS_ROOT();
  // Before the process's libvirt, which reads it once.
  auto log = kj::str(MachineBed::processDirectory(), "/libvirt.log");
  setenv("LIBVIRT_LOG_FILTERS", "2:qemu.qemu_monitor", true);
  setenv("LIBVIRT_LOG_OUTPUTS", kj::str("2:file:", log).cStr(), true);
  Bed b;
  // At the first start libvirt also asks what this QEMU can do, once a host.
  auto first = b.start("m1");
  auto before = countOf(slurp(log), SENT);
  auto second = b.start("m2", 2);
  auto commands = countOf(slurp(log), SENT) - before;
  CHECK(commands > 0);
  CHECK(commands <= MOST_COMMANDS);
}

}  // namespace
}  // namespace bothy
