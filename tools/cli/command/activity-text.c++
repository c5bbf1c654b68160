#include "command/activity-text.h"

#include "console/quantity.h"
#include "console/table.h"
#include "supervisor/names.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr FIGURE_NAMES[IDLE_FIGURES] = {
    "pause-after"_kj, "warn-before"_kj,    "hibernate-after"_kj,  "expire-after"_kj,
    "warn-expiry"_kj, "session-grace"_kj,  "most-guest-wake"_kj,  "count-sessions"_kj,
    "count-input"_kj, "count-commands"_kj, "count-wake-locks"_kj,
};

// What the rule is called when it has acted, and before.
kj::StringPtr pastOf(rpc::IdleRule rule) {
  switch (rule) {
    case rpc::IdleRule::NONE:
      break;
    case rpc::IdleRule::PAUSE:
      return "was paused";
    case rpc::IdleRule::HIBERNATE:
      return "was hibernated";
    case rpc::IdleRule::EXPIRE:
      return "expired";
  }
  return "was put to rest";
}

kj::StringPtr nextOf(rpc::IdleRule rule) {
  switch (rule) {
    case rpc::IdleRule::NONE:
      break;
    case rpc::IdleRule::PAUSE:
      return "is paused";
    case rpc::IdleRule::HIBERNATE:
      return "is hibernated";
    case rpc::IdleRule::EXPIRE:
      return "expires, with its disk,";
  }
  return "is put to rest";
}

bool mayBeNever(rpc::IdleFigure figure) {
  return figure == rpc::IdleFigure::PAUSE_AFTER || figure == rpc::IdleFigure::HIBERNATE_AFTER ||
         figure == rpc::IdleFigure::EXPIRE_AFTER;
}

bool isSwitch(rpc::IdleFigure figure) {
  return figure >= rpc::IdleFigure::COUNT_SESSIONS;
}

kj::String orDash(capnp::Text::Reader text) {
  return text.size() > 0 ? escapeGuestText(text.asArray()) : kj::str("-");
}

// In the largest unit of which it is a whole number.
kj::String timeOf(uint32_t seconds) {
  constexpr struct {
    uint32_t seconds;
    char unit;
  } UNITS[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};
  for (auto& unit : UNITS) {
    if (seconds > 0 && seconds % unit.seconds == 0)
      return kj::str(seconds / unit.seconds, unit.unit);
  }
  return kj::str(seconds, "s");
}

}  // namespace

kj::StringPtr nameOf(rpc::AwakeReason::Kind kind) {
  switch (kind) {
    case rpc::AwakeReason::Kind::NONE:
      break;
    case rpc::AwakeReason::Kind::SESSION:
      return "connected";
    case rpc::AwakeReason::Kind::GRACE:
      return "connection lost";
    case rpc::AwakeReason::Kind::WAKE_LOCK:
      return "wake lock";
    case rpc::AwakeReason::Kind::INPUT:
      return "input";
    case rpc::AwakeReason::Kind::COMMANDS:
      return "commands run";
    case rpc::AwakeReason::Kind::EARLIER_LANES:
      return "connected before";
    case rpc::AwakeReason::Kind::NO_ANSWER:
      return "no answer";
    case rpc::AwakeReason::Kind::GUEST_LOCK:
      return "wake lock within";
    case rpc::AwakeReason::Kind::SETTING_UP:
      return "being set up";
  }
  return "unknown";
}

kj::StringPtr nameOf(rpc::IdleFigure figure) {
  const auto number = static_cast<size_t>(figure);
  return number < IDLE_FIGURES ? FIGURE_NAMES[number] : "unknown"_kj;
}

kj::Maybe<rpc::IdleFigure> idleFigure(kj::StringPtr name) {
  for (size_t i = 0; i < IDLE_FIGURES; i++) {
    if (FIGURE_NAMES[i] == name) return static_cast<rpc::IdleFigure>(i);
  }
  return nullptr;
}

uint32_t valueOf(rpc::IdlePolicy::Reader policy, rpc::IdleFigure figure) {
  switch (figure) {
    case rpc::IdleFigure::PAUSE_AFTER:
      return policy.getPauseAfter();
    case rpc::IdleFigure::WARN_BEFORE:
      return policy.getWarnBefore();
    case rpc::IdleFigure::HIBERNATE_AFTER:
      return policy.getHibernateAfter();
    case rpc::IdleFigure::EXPIRE_AFTER:
      return policy.getExpireAfter();
    case rpc::IdleFigure::WARN_EXPIRY:
      return policy.getWarnExpiry();
    case rpc::IdleFigure::SESSION_GRACE:
      return policy.getSessionGrace();
    case rpc::IdleFigure::MOST_GUEST_WAKE:
      return policy.getMostGuestWake();
    case rpc::IdleFigure::COUNT_SESSIONS:
      return policy.getCountSessions();
    case rpc::IdleFigure::COUNT_INPUT:
      return policy.getCountInput();
    case rpc::IdleFigure::COUNT_COMMANDS:
      return policy.getCountCommands();
    case rpc::IdleFigure::COUNT_WAKE_LOCKS:
      return policy.getCountWakeLocks();
  }
  return 0;
}

kj::String textOf(rpc::IdleFigure figure, uint32_t value) {
  if (isSwitch(figure)) return kj::str(value == 0 ? "no" : "yes");
  if (value == 0 && mayBeNever(figure)) return kj::str("never");
  return timeOf(value);
}

kj::Maybe<uint32_t> parseFigure(rpc::IdleFigure figure, kj::StringPtr text) {
  if (isSwitch(figure)) {
    if (text == "1" || text == "yes") return uint32_t{1};
    if (text == "0" || text == "no") return uint32_t{0};
    return nullptr;
  }
  if (text == "never" && mayBeNever(figure)) return uint32_t{0};
  KJ_IF_MAYBE (time, parseDuration(text)) {
    if (*time % (1 * kj::SECONDS) != 0 * kj::SECONDS) return nullptr;
    const auto seconds = *time / kj::SECONDS;
    if (seconds <= int64_t{rpc::MAX_IDLE_SECONDS}) return static_cast<uint32_t>(seconds);
  }
  return nullptr;
}

kj::String tableOf(capnp::List<rpc::AwakeReason>::Reader reasons) {
  if (reasons.size() == 0) return kj::String();
  const kj::StringPtr headings[] = {"REASON", "WHO", "WHAT", "SINCE", "UNTIL", "ID"};
  Table table(headings);
  for (auto reason : reasons) {
    const auto kind = nameOf(reason.getKind());
    const kj::String cells[] = {
        reason.getCounts() ? kj::str(kind) : kj::str(kind, " (does not count)"),
        orDash(reason.getWho()),
        orDash(reason.getDetail()),
        formatTime(reason.getSinceNanos()),
        formatTime(reason.getUntilNanos()),
        orDash(reason.getId())};
    table.add(cells);
  }
  return table.render();
}

namespace {

// Of what comes unless it is used.
kj::String nextOf(rpc::Wakefulness::Reader told) {
  if (!told.getNext().isStep()) return nullptr;
  auto next = told.getNext().getStep();
  auto failure = next.getFailure().size() == 0
                     ? kj::String()
                     : kj::str(", as the last try came to nothing: ",
                               escapeGuestText(next.getFailure().asArray()));
  return kj::str("; unless it is used, it ", nextOf(next.getRule()), " at ",
                 formatTime(next.getAtNanos()), next.getIsWarned() ? ", as was announced" : "",
                 failure);
}

kj::String stateOf(rpc::Wakefulness::Reader told) {
  if (told.getPast().isStep()) {
    auto past = told.getPast().getStep();
    const auto state = told.getState();
    const bool isUnderWay = state == rpc::WorkspaceState::PAUSING ||
                            state == rpc::WorkspaceState::HIBERNATING ||
                            state == rpc::WorkspaceState::EXPIRING;
    auto what = isUnderWay ? kj::str("is ", nameOf(state), " since ")
                           : kj::str(pastOf(past.getRule()), " at ");
    return kj::str(what, formatTime(past.getAtNanos()), " because nobody used it");
  }
  if (told.getState() != rpc::WorkspaceState::RUNNING) {
    return kj::str("does not run (", nameOf(told.getState()), "), by no rule");
  }
  if (told.getNext().isStep()) {
    return told.getIdleNanos() == 0 ? kj::str("is kept awake")
                                    : kj::str("was used last at ", formatTime(told.getIdleNanos()));
  }
  return kj::str(told.getPolicy().getPauseAfter() == 0 ? "is never paused by a rule" : "is in use");
}

}  // namespace

kj::String summaryOf(kj::StringPtr name, rpc::Wakefulness::Reader told) {
  return kj::str(name, " ", stateOf(told), nextOf(told), "\n");
}

}  // namespace bothy
