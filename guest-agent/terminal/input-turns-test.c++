#include "terminal/input-turns.h"

#include <malloc.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("turns come one at a time, in order, and who left the queue is passed over") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  auto turns = kj::refcounted<InputTurns>();
  auto first = turns->next().wait(scope);
  auto second = turns->next();
  kj::Maybe<kj::Promise<kj::Own<void>>> third = turns->next();
  auto fourth = turns->next();
  CHECK_FALSE(second.poll(scope));
  third = nullptr;

  first = nullptr;
  CHECK(second.poll(scope));
  CHECK_FALSE(fourth.poll(scope));
  // Dropped before it was seen.
  {
    auto unseen = kj::mv(second);
  }
  fourth.wait(scope);
  CHECK(turns->next().poll(scope));
}

TEST_CASE("S01 those who left the queue keep no memory") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  auto turns = kj::refcounted<InputTurns>();
  auto held = turns->next().wait(scope);
  auto leave = [&](int count) {
    for (int i = 0; i < count; i++) turns->next().poll(scope);
    return mallinfo2().uordblks;
  };
  constexpr size_t ALLOWED_BYTES = 64 * 1024;
  const auto before = leave(100);
  CHECK(leave(10000) < before + ALLOWED_BYTES);
}

}  // namespace
}  // namespace bothy
