#include "wire/event-loop.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("S01 a loop that always has something to do looks what else has come") {
  constexpr kj::uint MANY = 1000 * BUSY_POLL_INTERVAL;
  auto io = setupEventLoop();
  auto pipe = io.provider->newTwoWayPipe();
  char byte;
  bool hasCome = false;
  auto reading =
      pipe.ends[1]->read(&byte, 1).then([&]() { hasCome = true; }).eagerlyEvaluate(nullptr);
  // It waits for the byte.
  io.waitScope.poll();
  pipe.ends[0]->write("x", 1).wait(io.waitScope);
  kj::uint events = 0;
  // No coroutine, which goes on within one event where nothing else is queued.
  kj::Function<kj::Promise<void>()> work = [&]() -> kj::Promise<void> {
    if (hasCome || events == MANY) return kj::READY_NOW;
    ++events;
    return kj::evalLater([&]() { return work(); });
  };
  work().wait(io.waitScope);
  CHECK(hasCome);
  CHECK(events < MANY);
}

}  // namespace
}  // namespace bothy
