#include "console/standard-stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"

namespace bothy {
namespace {

struct Pipe {
  kj::AutoCloseFd readEnd;
  kj::AutoCloseFd writeEnd;
  Pipe() {
    int fds[2];
    KJ_SYSCALL(pipe2(fds, O_CLOEXEC));
    readEnd = kj::AutoCloseFd(fds[0]);
    writeEnd = kj::AutoCloseFd(fds[1]);
  }
};

TEST_CASE("a descriptor that is shared with the shell stays a blocking one") {
  auto io = kj::setupAsyncIo();
  Pipe pipe;
  StandardInput input(io.unixEventPort, pipe.readEnd);
  StandardOutput output(io.unixEventPort, pipe.writeEnd);
  output.write("hello", 5).wait(io.waitScope);
  char text[5];
  CHECK(input.tryRead(text, 5, 5).wait(io.waitScope) == 5);
  CHECK((fcntl(pipe.readEnd, F_GETFL) & O_NONBLOCK) == 0);
  CHECK((fcntl(pipe.writeEnd, F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a full pipe holds the writer back and loses nothing") {
  constexpr size_t SIZE = 1 << 20;
  auto io = kj::setupAsyncIo();
  Pipe pipe;
  StandardInput input(io.unixEventPort, pipe.readEnd);
  StandardOutput output(io.unixEventPort, pipe.writeEnd);
  auto sent = kj::heapArray<kj::byte>(SIZE);
  for (size_t i = 0; i < SIZE; ++i) sent[i] = static_cast<kj::byte>(i * 7 / 3);

  auto writing = output.write(sent.begin(), sent.size());
  CHECK_FALSE(writing.poll(io.waitScope));
  auto got = kj::heapArray<kj::byte>(SIZE);
  auto reading = input.tryRead(got.begin(), SIZE, SIZE);
  writing.wait(io.waitScope);
  CHECK(reading.wait(io.waitScope) == SIZE);
  CHECK(got == sent);
}

TEST_CASE("the end of the input is the end, also for a file") {
  auto io = kj::setupAsyncIo();
  Pipe pipe;
  StandardInput input(io.unixEventPort, pipe.readEnd);
  pipe.writeEnd = nullptr;
  char byte;
  CHECK(input.tryRead(&byte, 1, 1).wait(io.waitScope) == 0);

  int fd;
  KJ_SYSCALL(fd = open("/dev/null", O_RDWR | O_CLOEXEC));
  kj::AutoCloseFd null(fd);
  StandardInput nothing(io.unixEventPort, null);
  CHECK(nothing.tryRead(&byte, 1, 1).wait(io.waitScope) == 0);
  StandardOutput(io.unixEventPort, null).write("x", 1).wait(io.waitScope);
}

TEST_CASE("output that nobody reads is told as closed") {
  auto io = kj::setupAsyncIo();
  Pipe pipe;
  StandardOutput output(io.unixEventPort, pipe.writeEnd);
  pipe.readEnd = nullptr;
  auto thrown = kj::runCatchingExceptions([&] { output.write("x", 1).wait(io.waitScope); });
  CHECK(isOutputClosed(KJ_REQUIRE_NONNULL(thrown)));
  thrown = kj::runCatchingExceptions([&] { MessageOutput(pipe.writeEnd).write("x", 1); });
  CHECK(isOutputClosed(KJ_REQUIRE_NONNULL(thrown)));
}

TEST_CASE("P16 output that finds no room is a failure with its reason") {
  auto io = kj::setupAsyncIo();
  int fd;
  KJ_SYSCALL(fd = open("/dev/full", O_WRONLY | O_CLOEXEC));
  kj::AutoCloseFd full(fd);
  for (bool isMessage : {false, true}) {
    auto thrown = kj::runCatchingExceptions([&] {
      if (isMessage) {
        MessageOutput(full).write("x", 1);
      } else {
        StandardOutput(io.unixEventPort, full).write("x", 1).wait(io.waitScope);
      }
    });
    auto told = describe(KJ_REQUIRE_NONNULL(thrown));
    CHECK(told.exitCode == FAILURE);
    CHECK(told.message == "cannot write standard output: No space left on device");
  }
}

TEST_CASE("P16 input that cannot be read is a failure with its reason, and no end") {
  auto io = kj::setupAsyncIo();
  auto whyUnreadable = [&](const char* path, int flags) {
    int fd;
    KJ_SYSCALL(fd = open(path, flags | O_CLOEXEC));
    kj::AutoCloseFd file(fd);
    StandardInput input(io.unixEventPort, file);
    char byte;
    auto thrown = kj::runCatchingExceptions([&] { input.tryRead(&byte, 1, 1).wait(io.waitScope); });
    return kj::mv(KJ_REQUIRE_NONNULL(thrown, path));
  };
  auto directory = whyUnreadable("/", O_RDONLY);
  CHECK(describe(directory).message == "cannot read standard input: Is a directory");
  CHECK_FALSE(isInputClosed(directory));
  // Nothing is mapped at 0: the disk's error of a file that is none.
  CHECK(describe(whyUnreadable("/proc/self/mem", O_RDONLY)).message ==
        "cannot read standard input: Input/output error");
  auto closed = whyUnreadable("/dev/null", O_WRONLY);
  CHECK(isInputClosed(closed));
  CHECK(describe(closed).message == "cannot read standard input: it is closed");
}

TEST_CASE("input from a terminal that hung up has ended") {
  auto io = kj::setupAsyncIo();
  int fd;
  KJ_SYSCALL(fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  kj::AutoCloseFd terminal(fd);
  KJ_SYSCALL(unlockpt(terminal));
  KJ_SYSCALL(fd = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC));
  KJ_SYSCALL(close(fd));
  // Its other end reads EIO.
  StandardInput input(io.unixEventPort, terminal);
  char byte;
  CHECK(input.tryRead(&byte, 1, 1).wait(io.waitScope) == 0);
}

}  // namespace
}  // namespace bothy
