#include "vm/vsock-replacement.h"

#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/log-record.h"

namespace bothy {
namespace {

// A machine whose device cannot be replaced until `failure` is taken away.
struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Maybe<kj::Exception> failure;
  kj::uint tries = 0;
  kj::uint notices = 0;
  kj::Promise<void> replacing = replaceVsock(
      timer, "demo",
      [this]() -> kj::Promise<void> {
        ++tries;
        KJ_IF_MAYBE (exception, failure) {
          return kj::cp(*exception);
        }
        return kj::READY_NOW;
      },
      [this]() { ++notices; });

  explicit World(kj::Exception failure) : failure(kj::mv(failure)) {}

  // Whether it is replaced by then.
  bool pass(kj::Duration time) {
    constexpr auto STEP = 1 * kj::SECONDS;
    bool isDone = replacing.poll(scope);
    for (auto passed = 0 * kj::SECONDS; passed < time && !isDone; passed += STEP) {
      timer.advanceTo(timer.now() + STEP);
      isDone = replacing.poll(scope);
    }
    return isDone;
  }
};

TEST_CASE(
    "P09 a vsock device that cannot be replaced is tried again for ever, and that is told once") {
  LogRecord log;
  World w(KJ_EXCEPTION(FAILED, "QEMU says no"));
  CHECK_FALSE(w.pass((VSOCK_QUICK_TRIES - 2) * VSOCK_RETRY_PAUSE));
  CHECK(w.notices == 0);
  CHECK_FALSE(w.pass(VSOCK_RETRY_PAUSE));
  CHECK(w.notices == 1);
  CHECK(w.tries == VSOCK_QUICK_TRIES);
  // Each failure, and what to do.
  REQUIRE(log.lines.size() == VSOCK_QUICK_TRIES + 1);
  for (kj::uint i = 0; i < VSOCK_QUICK_TRIES; i++) {
    CHECK(strstr(log.lines[i].cStr(), "QEMU says no") != nullptr);
  }
  CHECK(log.lines.back().startsWith("error"));
  CHECK(strstr(log.lines.back().cStr(), "a stop and a start of the workspace") != nullptr);

  // More seldom, and without a word.
  constexpr kj::uint MINUTES = 24 * 60;
  CHECK_FALSE(w.pass(MINUTES * VSOCK_LONG_RETRY_PAUSE));
  CHECK(w.tries == VSOCK_QUICK_TRIES + MINUTES);
  CHECK(w.notices == 1);
  CHECK(log.lines.size() == VSOCK_QUICK_TRIES + 1);

  w.failure = nullptr;
  CHECK(w.pass(VSOCK_LONG_RETRY_PAUSE));
}

TEST_CASE("P09 a QEMU that stands still is asked each second, and told of once") {
  LogRecord log;
  World w(KJ_EXCEPTION(OVERLOADED, "QEMU does not answer"));
  constexpr kj::uint SECONDS = 600;
  CHECK_FALSE(w.pass(SECONDS * VSOCK_RETRY_PAUSE));
  CHECK(w.tries == SECONDS + 1);
  CHECK(log.lines.size() == 1);
  CHECK(w.notices == 0);
  w.failure = nullptr;
  CHECK(w.pass(VSOCK_RETRY_PAUSE));
}

}  // namespace
}  // namespace bothy
