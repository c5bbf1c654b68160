#include "rpc/action-shares.h"

#include <kj/debug.h>

#include "actions/action-line.h"

namespace bothy {

ActionShares::ActionShares(ActionLog& log, kj::Timer& timer, const kj::Clock& clock)
    : log(log), timer(timer), clock(clock), began(timer.now()) {}

ActionShares::~ActionShares() noexcept(false) {}

bool ActionShares::admits(kj::StringPtr name) {
  if (!isAnyLeftOut && timer.now() - began >= PERIOD) endPeriod();
  if (actors.find(name) == nullptr && actors.size() >= MAX_ACTORS) {
    leaveOut(othersLeftOut);
    return false;
  }
  auto& actor = actors.findOrCreate(
      name, [&]() { return kj::HashMap<kj::String, Actor>::Entry{kj::str(name), {}}; });
  if (actor.noted >= MAX_OF_ACTOR || noted >= MAX_IN_ALL) {
    leaveOut(actor.leftOut);
    return false;
  }
  ++actor.noted;
  ++noted;
  return true;
}

void ActionShares::leaveOut(uint64_t& count) {
  ++count;
  if (isAnyLeftOut) return;
  isAnyLeftOut = true;
  end = timer.atTime(began + PERIOD)
            .then([this]() { endPeriod(); })
            .eagerlyEvaluate([](kj::Exception&& e) {
              KJ_LOG(ERROR, "actions that were left out are not counted", e.getDescription());
            });
}

void ActionShares::endPeriod() {
  auto tell = [this](kj::StringPtr actor, uint64_t leftOut) {
    if (leftOut == 0) return;
    ActionLine line(clock.now(), "actions left out");
    log.add(line.text("actor", actor).number("count", leftOut).finish());
  };
  for (auto& entry : actors) tell(entry.key, entry.value.leftOut);
  tell("others", othersLeftOut);
  actors.clear();
  noted = 0;
  othersLeftOut = 0;
  began = timer.now();
  isAnyLeftOut = false;
}

}  // namespace bothy
