#include "activity/idle-rules.h"

#include <kj/debug.h>

namespace bothy {

kj::Maybe<const IdleStep&> stepFrom(WorkspaceState state) {
  for (auto& step : IDLE_STEPS) {
    if (step.from == state) return step;
  }
  return nullptr;
}

const IdleStep& stepOf(IdleRule rule) {
  for (auto& step : IDLE_STEPS) {
    if (step.rule == rule) return step;
  }
  KJ_UNREACHABLE;
}

kj::StringPtr nameOf(IdleRule rule) {
  return nameOf(stepOf(rule).after);
}

kj::Maybe<IdleRule> idleRule(kj::StringPtr name) {
  for (auto& step : IDLE_STEPS) {
    if (nameOf(step.after) == name) return step.rule;
  }
  return nullptr;
}

}  // namespace bothy
