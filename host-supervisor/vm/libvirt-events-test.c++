#include "vm/libvirt-events.h"

#include <kj/async-io.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// Somebody else on the event loop: notes at each of its turns how many events were handled.
kj::Promise<void> noteTurns(kj::Timer& timer, const size_t& handled, kj::Vector<size_t>& turns) {
  for (;;) {
    co_await timer.afterDelay(0 * kj::NANOSECONDS);
    turns.add(handled);
  }
}

TEST_CASE(
    "S01 ten thousand events of a machine at once keep nobody else waiting, and none is lost") {
  constexpr size_t EVENTS = 10000;
  auto io = kj::setupAsyncIo();
  auto& timer = io.provider->getTimer();
  Inbox<LibvirtEvent> inbox(EVENTS);
  for (size_t i = 0; i < EVENTS; i++) {
    inbox.put({LibvirtEvent::Kind::DEVICE_REMOVED, kj::str("demo"), kj::str(i)});
  }
  size_t handled = 0;
  bool isInOrder = true;
  auto all = kj::newPromiseAndFulfiller<void>();
  auto dispatching = dispatchEvents(
                         timer, [&]() { return inbox.take(); },
                         [&](LibvirtEvent event) {
                           isInOrder = isInOrder && event.device == kj::str(handled);
                           if (++handled == EVENTS) all.fulfiller->fulfill();
                         })
                         .eagerlyEvaluate(nullptr);
  kj::Vector<size_t> turns;
  auto waiting = noteTurns(timer, handled, turns).eagerlyEvaluate(nullptr);
  timer.timeoutAfter(30 * kj::SECONDS, kj::mv(all.promise)).wait(io.waitScope);
  CHECK(isInOrder);
  REQUIRE(turns.size() > EVENTS / TURN_EVENTS / 2);
  for (size_t i = 1; i < turns.size(); i++) CHECK(turns[i] - turns[i - 1] <= 2 * TURN_EVENTS);
}

}  // namespace
}  // namespace bothy
