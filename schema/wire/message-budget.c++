#include "wire/message-budget.h"

#include <kj/debug.h>

#include <utility>

namespace bothy {

size_t MessageBudget::total() {
  size_t sum = 0;
  for (auto& guard : guards) sum += guard.heldBytes();
  return sum;
}

size_t MessageBudget::unread() {
  size_t sum = 0;
  for (auto& guard : guards) sum += guard.unreadBytes();
  return sum;
}

size_t MessageBudget::heldBy(kj::StringPtr holder) {
  size_t sum = 0;
  for (auto& guard : guards) {
    if (guard.holder == holder) sum += guard.heldBytes();
  }
  return sum;
}

bool MessageBudget::hasRoomFor(MessageGuard& guard) {
  const bool isOfItsShare = guard.part.hasBegun() ? guard.messageBytes() < limits.shareBytes
                                                  : guard.calls.size() < limits.shareCalls;
  return isOfItsShare || hasRoom(guard.holder);
}

bool MessageBudget::hasRoom(kj::StringPtr holder) {
  const auto all = total(), own = heldBy(holder);
  if (all < limits.maxBytes) return own < limits.maxHolderBytes;
  return all < limits.mostBytes && own < limits.littleBytes;
}

void MessageBudget::makeRoomFor(MessageGuard& waiting, kj::Duration heldUp) {
  if (heldUp < MessageGuard::MOST_STANDSTILL) return;
  while (!hasRoomFor(waiting)) {
    const auto own = heldBy(waiting.holder);
    auto giving = greatest([&](MessageGuard& guard, size_t ofHolder) {
      if (&guard == &waiting) return false;
      const bool isOwn = guard.holder == waiting.holder;
      if (!isOwn && (ofHolder <= own || own >= limits.maxHolderBytes)) return false;
      return guard.isStandingStill(limits.shareBytes) ||
             (!isOwn && ofHolder > limits.maxHolderBytes);
    });
    KJ_IF_MAYBE (guard, giving) {
      guard->cut("it held most of what others wait for"_kj);
      continue;
    }
    if (heldUp >= MessageGuard::MOST_WAIT) {
      waiting.cut("there was no room for the rest of a message"_kj);
    }
    return;
  }
}

void MessageBudget::cutBeyond() {
  while (total() > limits.mostBytes) {
    auto& most = KJ_ASSERT_NONNULL(greatest([](auto&, size_t) { return true; }));
    most.cut("it held most of what all may hold together"_kj);
  }
}

kj::Maybe<MessageGuard&> MessageBudget::greatest(
    kj::FunctionParam<bool(MessageGuard&, size_t)> mayGive) {
  kj::HashMap<kj::StringPtr, size_t> held;
  for (auto& guard : guards) {
    held.upsert(guard.holder, guard.heldBytes(), [](size_t& sum, size_t more) { sum += more; });
  }
  kj::Maybe<MessageGuard&> found;
  std::pair<size_t, size_t> most = {0, 0};
  for (auto& guard : guards) {
    const std::pair weight(KJ_ASSERT_NONNULL(held.find(guard.holder)), guard.heldBytes());
    if (weight.second == 0 || weight <= most || !mayGive(guard, weight.first)) continue;
    most = weight;
    found = guard;
  }
  return found;
}

}  // namespace bothy
