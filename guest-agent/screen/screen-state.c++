#include "screen/screen-state.h"

namespace bothy {
namespace {

kj::Maybe<size_t> findMode(kj::uint number) {
  for (size_t i = 0; i < PRIVATE_MODE_COUNT; ++i) {
    if (PRIVATE_MODES[i].number == number) return i;
  }
  return nullptr;
}

}  // namespace

void KeyboardFlags::push(kj::byte added) {
  if (pushed + 1 == MAX_FLAGS) {
    for (size_t i = 1; i < pushed; ++i) flags[i] = flags[i + 1];
  } else {
    ++pushed;
  }
  flags[pushed] = added;
}

void KeyboardFlags::pop(kj::uint count) {
  if (count > pushed) {
    *this = KeyboardFlags();
  } else {
    pushed -= count;
  }
}

void KeyboardFlags::set(kj::byte given, kj::uint how) {
  auto& current = flags[pushed];
  switch (how) {
    case 2:
      current |= given;
      break;
    case 3:
      current &= ~given;
      break;
    default:
      current = given;
  }
}

bool ScreenState::isOn(kj::uint number) const {
  KJ_IF_MAYBE (i, findMode(number)) {
    auto value = modes[*i];
    if (value == PrivateMode::Value::UNSET) value = PRIVATE_MODES[*i].first;
    return value == PrivateMode::Value::ON;
  }
  return false;
}

void ScreenState::setMode(kj::uint number, bool on) {
  KJ_IF_MAYBE (i, findMode(number)) {
    const auto kind = PRIVATE_MODES[*i].kind;
    for (size_t other = 0; kind != 0 && other < PRIVATE_MODE_COUNT; ++other) {
      if (PRIVATE_MODES[other].kind == kind) modes[other] = PrivateMode::Value::OFF;
    }
    modes[*i] = on ? PrivateMode::Value::ON : PrivateMode::Value::OFF;
  }
}

}  // namespace bothy
