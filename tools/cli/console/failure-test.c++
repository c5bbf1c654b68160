#include "console/failure.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a failure keeps its message and its exit code") {
  auto result = describe(failure("no workspace `a`", NOT_FOUND));
  CHECK(result.message == "no workspace `a`");
  CHECK(result.exitCode == NOT_FOUND);
}

TEST_CASE("a failure that passes is known by its kind, and told as any other") {
  auto passing = passingFailure("bothyd is not running");
  CHECK(isPassingFailure(passing));
  CHECK(describe(passing).message == "bothyd is not running");
  CHECK_FALSE(isPassingFailure(failure("bothyd is not running")));
  CHECK_FALSE(isPassingFailure(KJ_EXCEPTION(DISCONNECTED, "bothyd is not running")));
}

TEST_CASE("S08 the text of a remote fault is escaped") {
  auto result = describe(KJ_EXCEPTION(FAILED, "remote exception: a\x1b[2Jb"));
  CHECK(result.message == "unexpected failure, please report it: a\\x1b[2Jb");
  CHECK(result.exitCode == FAILURE);
}

TEST_CASE("a lost connection says that what was accepted goes on") {
  auto result = describe(
      KJ_EXCEPTION(DISCONNECTED, "::recvmsg(fd, &msg, RECVMSG_FLAGS): Connection reset by peer"));
  CHECK(result.message ==
        "the connection was lost in the middle: what was accepted goes on, `bothy ls` shows how it "
        "went");
}

TEST_CASE("P30 a client that bothyd turns away is told why") {
  auto turnedAway = KJ_EXCEPTION(DISCONNECTED, "remote exception: bothyd: too many \x1b of you");
  CHECK(isWordOfSupervisor(turnedAway));
  CHECK(describe(turnedAway).message ==
        "bothyd turns this client away (too many \\x1b of you): try again later");
  CHECK(isWordOfSupervisor(KJ_EXCEPTION(OVERLOADED, "remote exception: this client holds 64")));
  CHECK_FALSE(
      isWordOfSupervisor(KJ_EXCEPTION(DISCONNECTED, "remote exception: Peer disconnected")));
  CHECK_FALSE(isWordOfSupervisor(KJ_EXCEPTION(OVERLOADED, "fcntl: Too many open files")));
  CHECK_FALSE(isWordOfSupervisor(KJ_EXCEPTION(FAILED, "remote exception: bothyd: x")));
  CHECK_FALSE(isWordOfSupervisor(passingFailure("bothyd: is not running")));
}

}  // namespace
}  // namespace bothy
