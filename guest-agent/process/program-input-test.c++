#include "process/program-input.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("input that waits for room when it is closed fails as a disconnection") {
  auto io = kj::setupAsyncIo();
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  kj::AutoCloseFd reader(ends[0]);
  auto input =
      kj::refcounted<ProgramInput>(io.unixEventPort, kj::AutoCloseFd(ends[1]), ProgramMark());
  auto data = kj::heapArray<kj::byte>(1024 * 1024);
  memset(data.begin(), 0, data.size());
  auto writing = input->write(input->takeOver(), data);
  CHECK_FALSE(writing.poll(io.waitScope));
  input->close();
  auto failure = kj::runCatchingExceptions([&]() { writing.wait(io.waitScope); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::DISCONNECTED);
}

}  // namespace
}  // namespace bothy
