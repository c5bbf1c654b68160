#include "rpc/credit-updates.h"

#include <kj/debug.h>

namespace bothy {

CreditUpdates::CreditUpdates(kj::Timer& timer)
    : timer(timer), running(run().eagerlyEvaluate([](kj::Exception&& e) {
        KJ_LOG(ERROR, "the ends of lanes are not looked after any more", e.getDescription());
      })) {}

CreditUpdates::Lane::Lane(CreditUpdates& updates, MessageGuard& messages,
                          kj::Function<void()> sendUpdate)
    : updates(updates), messages(messages), sendUpdate(kj::mv(sendUpdate)) {
  updates.lanes.add(*this);
  messages.notifySent([this]() { noteSent(); });
  received = messages.received();
  wait(FIRST_PAUSE);
}

CreditUpdates::Lane::~Lane() noexcept(false) {
  messages.notifySent([]() {});
  updates.lanes.remove(*this);
}

void CreditUpdates::Lane::noteSent() {
  if (due == nullptr) {
    received = messages.received();
    wait(FIRST_PAUSE);
  } else if (updatesSent >= FIRST_UPDATES) {
    wait(FIRST_PAUSE);
  }
  updatesSent = 0;
}

void CreditUpdates::Lane::look() {
  if (messages.received() == received) {
    sendUpdate();
    ++updatesSent;
    wait(pause());
    return;
  }
  received = messages.received();
  updatesSent = 0;
  if (messages.isAnyUnread()) {
    wait(FIRST_PAUSE);
  } else {
    due = nullptr;
  }
}

kj::Duration CreditUpdates::Lane::pause() const {
  if (updatesSent < FIRST_UPDATES) return FIRST_PAUSE;
  return messages.isWriting() ? BLOCKED_PAUSE : LONGEST_PAUSE;
}

void CreditUpdates::Lane::wait(kj::Duration pause) {
  const auto when = updates.timer.now() + pause;
  due = when;
  KJ_IF_MAYBE (planned, updates.planned) {
    if (*planned <= when) return;
  }
  updates.planned = when;
  updates.earlier.wakeAll();
}

kj::Promise<void> CreditUpdates::run() {
  for (;;) {
    auto sooner = earlier.wait();
    KJ_IF_MAYBE (when, planned) {
      co_await timer.atTime(*when).exclusiveJoin(kj::mv(sooner));
    } else {
      co_await sooner;
    }
    const auto now = timer.now();
    planned = nullptr;
    for (auto& lane : lanes) {
      KJ_IF_MAYBE (when, lane.due) {
        if (*when <= now) lane.look();
      }
      KJ_IF_MAYBE (when, lane.due) {
        planned = kj::min(*when, planned.orDefault(*when));
      }
    }
  }
}

}  // namespace bothy
