#include "vm/libvirt-events.h"

#include <kj/async-io.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "support/log-record.h"

namespace bothy {
namespace {

// Somebody else on the event loop: notes at each of its turns how many events were handled.
kj::Promise<void> noteTurns(kj::Timer& timer, const size_t& handled, kj::Vector<size_t>& turns) {
  for (;;) {
    co_await timer.afterDelay(0 * kj::NANOSECONDS);
    turns.add(handled);
  }
}

// An event of each number below `count`, then none any more.
kj::Promise<LibvirtEvent> nextOf(kj::StringPtr domain, size_t& given, size_t count) {
  if (given == count) return kj::NEVER_DONE;
  return LibvirtEvent{LibvirtEvent::Kind::DEVICE_REMOVED, kj::str(domain), kj::str(given++)};
}

TEST_CASE(
    "S01 ten thousand events of a machine at once keep nobody else waiting, and none is lost") {
  constexpr size_t EVENTS = 10000;
  auto io = kj::setupAsyncIo();
  auto& timer = io.provider->getTimer();
  size_t given = 0;
  size_t handled = 0;
  bool isInOrder = true;
  auto all = kj::newPromiseAndFulfiller<void>();
  auto dispatching = dispatchEvents(
                         timer, [&]() { return nextOf("demo", given, EVENTS); },
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

TEST_CASE("S01 an event that cannot be handled is logged, and costs no other") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  LogRecord log;
  size_t given = 0;
  kj::Vector<kj::String> handled;
  auto dispatching = dispatchEvents(
                         timer, [&]() { return nextOf("demo", given, 3); },
                         [&](LibvirtEvent event) {
                           if (event.device == "1") KJ_FAIL_REQUIRE("no such process");
                           handled.add(kj::mv(event.device));
                         })
                         .eagerlyEvaluate(nullptr);
  scope.poll();
  CHECK_FALSE(dispatching.poll(scope));
  CHECK(kj::strArray(handled, " ") == "0 2");
}

}  // namespace
}  // namespace bothy
