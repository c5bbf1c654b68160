#include "boot/console.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <string.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Fixture {
  Fixture() {
    int fds[2];
    KJ_SYSCALL(pipe2(fds, O_CLOEXEC));
    out = kj::AutoCloseFd(fds[0]);
    in = kj::AutoCloseFd(fds[1]);
  }

  kj::String said() {
    in = nullptr;
    return kj::FdInputStream(out.get()).readAllText();
  }

  kj::AutoCloseFd out, in;
};

TEST_CASE("what is said is one line, whatever it contains") {
  Fixture f;
  Console(f.in.get()).say("a\nbothy: forged\x1b[2J");
  CHECK(f.said() == "bothy: a\\nbothy: forged\\x1b[2J\n");
}

TEST_CASE("a long line is cut") {
  Fixture f;
  Console(f.in.get()).say(kj::str(kj::repeat('x', 5000)));
  auto said = f.said();
  CHECK(said.size() < 1100);
  CHECK(said.endsWith("x...\n"));
}

TEST_CASE("what KJ logs comes as one line without a stack trace") {
  Fixture f;
  Console console(f.in.get());
  {
    ConsoleLog log(console);
    KJ_LOG(ERROR, "first\nsecond", KJ_EXCEPTION(FAILED, "inner"));
  }
  auto said = f.said();
  CHECK(said.startsWith("bothy: error "));
  CHECK(strstr(said.cStr(), "stack:") == nullptr);
  CHECK(KJ_ASSERT_NONNULL(said.findFirst('\n')) == said.size() - 1);
}

TEST_CASE("a console that is gone stops nobody") {
  Console console(-1);
  CHECK_NOTHROW(console.say("anybody there?"));
}

}  // namespace
}  // namespace bothy
