#include "loop/core-dumps.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "loop/child-process.h"
#include "loop/signals.h"

namespace bothy {
namespace {

TEST_CASE("S22 a process that forbids cores leaves no memory in one, and nor do its children") {
  captureSignals();
  auto io = kj::setupAsyncIo();
  Subreaper reaper(io.unixEventPort);
  forbidCoreDumps();
  struct rlimit limit;
  KJ_SYSCALL(getrlimit(RLIMIT_CORE, &limit));
  CHECK(limit.rlim_cur == 0);
  CHECK(limit.rlim_max == 0);

  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd reader(ends[0]);
  kj::AutoCloseFd writer(ends[1]);
  auto child = ChildProcess::spawn(
      io.unixEventPort, reaper,
      ChildSpec{"/bin/sh",
                kj::arr(kj::str("-c"), kj::str("cat /proc/self/coredump_filter; ulimit -Hc")),
                nullptr, writer.get(), ChildSpec::Lifetime::OWNED});
  child->onExit().wait(io.waitScope);
  char text[64]{};
  KJ_SYSCALL(read(reader, text, sizeof(text) - 1));
  CHECK(kj::StringPtr(text) == "00000000\n0\n");
}

}  // namespace
}  // namespace bothy
