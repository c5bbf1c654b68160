#include "boot/stage-log.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("each stage is told with its time, a failed one with its reason") {
  int fds[2];
  KJ_SYSCALL(pipe2(fds, O_CLOEXEC));
  kj::AutoCloseFd out(fds[0]), in(fds[1]);
  Console console(in.get());
  auto now = 1 * kj::SECONDS;
  StageLog log(console, [&now]() { return now; });

  CHECK(log.run("mounted root", [&]() { now += 12 * kj::MILLISECONDS; }));
  CHECK_FALSE(log.run("mounted data disk", [&]() {
    now += 3 * kj::MILLISECONDS;
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "bad\nsuperblock"));
  }));

  in = nullptr;
  CHECK(kj::FdInputStream(out.get()).readAllText() ==
        "bothy: mounted root in 12 ms\n"
        "bothy: FAILED mounted data disk after 3 ms: bad\\nsuperblock\n");
  REQUIRE(log.stages().size() == 2);
  CHECK(log.stages()[0].start == 1 * kj::SECONDS);
  CHECK(log.stages()[0].took == 12 * kj::MILLISECONDS);
  CHECK(log.stages()[0].failure == nullptr);
  CHECK(KJ_ASSERT_NONNULL(log.stages()[1].failure) == "bad\nsuperblock");
}

}  // namespace
}  // namespace bothy
