#include "tier/idle-policy.h"

#include <kj/function.h>
#include <kj/vector.h>

#include "tier/figure-words.h"

namespace bothy {
namespace {

struct Description {
  kj::StringPtr name;
  uint32_t IdlePolicy::* member;
  uint32_t most;
  // Whether 0 is told as "never".
  bool mayBeNever;
};

// In the order of IdleFigure.
constexpr Description DESCRIPTIONS[IDLE_FIGURES] = {
    {"pause-after"_kj, &IdlePolicy::pauseAfter, MAX_IDLE_SECONDS, true},
    {"warn-before"_kj, &IdlePolicy::warnBefore, MAX_IDLE_SECONDS, false},
    {"hibernate-after"_kj, &IdlePolicy::hibernateAfter, MAX_IDLE_SECONDS, true},
    {"expire-after"_kj, &IdlePolicy::expireAfter, MAX_IDLE_SECONDS, true},
    {"warn-expiry"_kj, &IdlePolicy::warnExpiry, MAX_IDLE_SECONDS, false},
    {"session-grace"_kj, &IdlePolicy::sessionGrace, MAX_IDLE_SECONDS, false},
    {"most-guest-wake"_kj, &IdlePolicy::mostGuestWake, MAX_IDLE_SECONDS, false},
    {"count-sessions"_kj, &IdlePolicy::countSessions, 1, false},
    {"count-input"_kj, &IdlePolicy::countInput, 1, false},
    {"count-commands"_kj, &IdlePolicy::countCommands, 1, false},
    {"count-wake-locks"_kj, &IdlePolicy::countWakeLocks, 1, false},
};

const Description& describe(IdleFigure figure) {
  return DESCRIPTIONS[static_cast<size_t>(figure)];
}

constexpr kj::StringPtr NEVER = "never"_kj;

uint32_t secondsOf(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 60 * 60;
    case 'd':
      return 24 * 60 * 60;
    default:
      return 0;
  }
}

kj::Maybe<uint32_t> valueOf(const Description& figure, kj::StringPtr text) {
  constexpr size_t MOST_DIGITS = 9;
  if (figure.mayBeNever && text == NEVER) return uint32_t{0};
  auto digits = text.asArray();
  uint64_t factor = 1;
  if (figure.most > 1 && digits.size() > 0 && secondsOf(digits.back()) > 0) {
    factor = secondsOf(digits.back());
    digits = digits.slice(0, digits.size() - 1);
  }
  if (digits.size() == 0 || digits.size() > MOST_DIGITS) return nullptr;
  uint64_t number = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return nullptr;
    number = number * 10 + (c - '0');
  }
  number *= factor;
  if (number > figure.most) return nullptr;
  return static_cast<uint32_t>(number);
}

kj::String wantedOf(const Description& figure) {
  if (figure.most == 1) return kj::str("0 or 1");
  return kj::str("a whole number of seconds, or of m, h or d like 30m, from 0 to ", figure.most,
                 " s", figure.mayBeNever ? ", or never" : "");
}

// Calls it with each "NAME=VALUE" until it returns what is wrong.
kj::Maybe<kj::String> forEachWord(
    kj::StringPtr text,
    kj::FunctionParam<kj::Maybe<kj::String>(kj::StringPtr name, kj::StringPtr value)> act) {
  for (auto& word : wordsOf(text)) {
    auto equals = word.findFirst('=').orDefault(word.size());
    auto name = kj::heapString(word.slice(0, equals));
    auto value = equals < word.size() ? word.slice(equals + 1) : ""_kj;
    KJ_IF_MAYBE (fault, act(name, value)) return kj::mv(*fault);
  }
  return nullptr;
}

}  // namespace

kj::StringPtr nameOf(IdleFigure figure) {
  return describe(figure).name;
}

kj::String idleFigureNames() {
  return kj::strArray(KJ_MAP(figure, DESCRIPTIONS) { return figure.name; }, ", ");
}

kj::Maybe<IdleFigure> idleFigure(kj::StringPtr name) {
  for (size_t i = 0; i < IDLE_FIGURES; i++) {
    if (DESCRIPTIONS[i].name == name) return static_cast<IdleFigure>(i);
  }
  return nullptr;
}

uint32_t IdlePolicy::* memberOf(IdleFigure figure) {
  return describe(figure).member;
}

kj::Maybe<kj::String> faultOf(IdleFigure figure, uint32_t value) {
  auto& of = describe(figure);
  if (value <= of.most) return nullptr;
  return kj::str(of.name, " is ", value, ": it must be ", wantedOf(of));
}

kj::Maybe<kj::String> setIdleFigure(IdlePolicy& policy, IdleFigure figure, kj::StringPtr value) {
  auto& of = describe(figure);
  KJ_IF_MAYBE (number, valueOf(of, value)) {
    policy.*of.member = *number;
    return nullptr;
  }
  return kj::str(of.name, " is '", value, "': it must be ", wantedOf(of));
}

kj::Maybe<kj::String> setIdleFigures(IdlePolicy& policy, kj::StringPtr text) {
  auto next = policy;
  bool isGiven[IDLE_FIGURES] = {};
  auto fault =
      forEachWord(text, [&](kj::StringPtr name, kj::StringPtr value) -> kj::Maybe<kj::String> {
        KJ_IF_MAYBE (figure, idleFigure(name)) {
          auto& given = isGiven[static_cast<size_t>(*figure)];
          if (given) return kj::str(name, " is set twice; the limit is once");
          given = true;
          return setIdleFigure(next, *figure, value);
        }
        return kj::str("'", name, "' is none of ", idleFigureNames(), ", each as NAME=VALUE");
      });
  if (fault == nullptr) policy = next;
  return fault;
}

bool IdleOverrides::isEmpty() const {
  for (auto& figure : figures) {
    if (figure != nullptr) return false;
  }
  return true;
}

IdlePolicy IdleOverrides::over(IdlePolicy policy) const {
  for (size_t i = 0; i < IDLE_FIGURES; i++) {
    KJ_IF_MAYBE (value, figures[i]) policy.*DESCRIPTIONS[i].member = *value;
  }
  return policy;
}

kj::String IdleOverrides::text() const {
  kj::Vector<kj::String> words;
  for (size_t i = 0; i < IDLE_FIGURES; i++) {
    KJ_IF_MAYBE (value, figures[i]) words.add(kj::str(DESCRIPTIONS[i].name, "=", *value));
  }
  return kj::strArray(words, " ");
}

IdleOverrides IdleOverrides::parse(kj::StringPtr text) {
  IdleOverrides result;
  forEachWord(text, [&](kj::StringPtr name, kj::StringPtr value) -> kj::Maybe<kj::String> {
    KJ_IF_MAYBE (figure, idleFigure(name)) {
      result.of(*figure) = valueOf(describe(*figure), value);
    }
    return nullptr;
  });
  return result;
}

}  // namespace bothy
