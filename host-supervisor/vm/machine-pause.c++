#include "vm/machine-pause.h"

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "loop/retry-pauses.h"

namespace bothy {

kj::Promise<void> MachinePause::begin() {
  stopSettling();
  isWanted = true;
  stall.hold();
  co_await vsock.takeOff();
  auto failure = co_await failureOf([this]() { return host.libvirt->pause(spec.name); });
  KJ_IF_MAYBE (e, failure) {
    isWanted = false;
    settle(Cpus::RUN);
    kj::throwFatalException(kj::mv(*e));
  }
}

kj::Promise<void> MachinePause::end() {
  if (!isWanted && !isSettling) co_return;
  stopSettling();
  // It is told to go on when there is room.
  if (!stall.isUnderWay()) {
    co_await vsock.putBack();
    auto failure = co_await failureOf([this]() { return host.libvirt->resume(spec.name); });
    KJ_IF_MAYBE (e, failure) {
      if (isWanted) {
        vsock.switchOff();
        settle(Cpus::STAND_STILL);
      } else {
        settle(Cpus::RUN);
      }
      kj::throwFatalException(kj::mv(*e));
    }
  }
  isWanted = false;
  vsock.switchOn();
  stall.release();
}

void MachinePause::adopt(LibvirtDomain::Condition condition) {
  isWanted = true;
  stall.hold();
  vsock.switchOff();
  if (condition == LibvirtDomain::Condition::RUNS) settle(Cpus::STAND_STILL);
}

void MachinePause::stopSettling() {
  settling = nullptr;
  isSettling = false;
}

void MachinePause::settle(Cpus wanted) {
  isSettling = true;
  settling = keepAsking(wanted).eagerlyEvaluate([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "a machine may stand still or run as nobody wants it to", spec.name,
           e.getDescription());
  });
}

kj::Promise<void> MachinePause::keepAsking(Cpus wanted) {
  RetryPauses pauses(host.timer, {});
  const bool goesOn = wanted == Cpus::RUN;
  // One that also waits for room is told to go on when there is some.
  while (!(goesOn && stall.isUnderWay())) {
    auto failure = co_await failureOf([&]() {
      return goesOn ? host.libvirt->resume(spec.name) : host.libvirt->pause(spec.name);
    });
    if (failure == nullptr) break;
    co_await pauses.next();
  }
  isSettling = false;
  if (!goesOn) co_return;
  vsock.switchOn();
  stall.release();
}

}  // namespace bothy
