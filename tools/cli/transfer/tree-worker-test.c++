#include "transfer/tree-worker.h"

#include <fcntl.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a worker whose stream another still holds ends when it is dropped") {
  auto io = kj::setupAsyncIo();
  kj::AutoCloseFd held;
  ssize_t got = -1;
  {
    TreeWorker worker([&](int fd) -> kj::Maybe<FileProblem> {
      char byte;
      got = read(fd, &byte, 1);
      return nullptr;
    });
    held = worker.takeStream();
  }
  CHECK(got == 0);
}

TEST_CASE("a worker's result is there when it is done, and its stream is at its end") {
  auto io = kj::setupAsyncIo();
  TreeWorker worker([](int fd) -> kj::Maybe<FileProblem> {
    KJ_SYSCALL(write(fd, "x", 1));
    return FileProblem::of(FileProblem::Reason::CHANGED, kj::str("it changed"));
  });
  auto stream = worker.takeStream();
  worker.whenDone().wait(io.waitScope);
  CHECK(KJ_ASSERT_NONNULL(worker.result()).message == "it changed");
  char bytes[2];
  CHECK(read(stream, bytes, 2) == 1);
  CHECK(read(stream, bytes, 2) == 0);
}

}  // namespace
}  // namespace bothy
