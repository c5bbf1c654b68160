#include "wire/message-budget.h"

#include <kj/debug.h>

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

bool MessageBudget::hasRoomOf(kj::StringPtr holder) {
  return holder.size() == 0 || limits.maxHolderBytes == size_t{kj::maxValue} ||
         heldBy(holder) < limits.maxHolderBytes;
}

bool MessageBudget::hasRoomFor(MessageGuard& guard, size_t unread) {
  const auto messages = guard.messageBytes(unread);
  if (messages < limits.shareBytes && guard.calls.size() < limits.shareCalls) {
    const auto held = guard.callBytes + unread + guard.partBytes;
    if (held >= LEAST_LOOK_BYTES) cutBeyond();
    return !guard.isCut;
  }
  cutBeyond();
  if (guard.isCut) return false;
  const auto all = total();
  if (all < limits.maxBytes) return hasRoomOf(guard.holder);
  return all < limits.mostBytes && heldBy(guard.holder) < limits.littleBytes;
}

void MessageBudget::makeRoomFor(const MessageGuard& waiting, kj::Duration waited) {
  const bool isLong = waited >= MessageGuard::MOST_STANDSTILL;
  for (;;) {
    const bool isFull = total() >= limits.maxBytes;
    if (!isFull && hasRoomOf(waiting.holder)) return;
    const auto whose =
        isFull ? kj::Maybe<kj::StringPtr>() : kj::Maybe<kj::StringPtr>(waiting.holder);
    if (!cutStanding(whose, waiting) && !(isLong && cutGreatest(whose, waiting))) return;
  }
}

void MessageBudget::cutBeyond() {
  while (total() > limits.mostBytes) {
    auto most = greatest(nullptr, [this](MessageGuard& guard) {
      const auto held = guard.heldBytes();
      return held - kj::min(held, limits.keptBytes);
    });
    KJ_IF_MAYBE (guard, most) {
      guard->cut("it held most of what all may hold together"_kj);
    } else {
      return;
    }
  }
}

bool MessageBudget::cutStanding(kj::Maybe<kj::StringPtr> holder, const MessageGuard& waiting) {
  const auto heldByWaiting = heldBy(waiting.holder);
  auto most = greatest(holder, [&](MessageGuard& guard) -> size_t {
    if (&guard == &waiting || !guard.isStandingStill(limits.shareBytes)) return 0;
    if (guard.holder != waiting.holder && heldBy(guard.holder) <= heldByWaiting) return 0;
    return guard.heldBytes();
  });
  KJ_IF_MAYBE (guard, most) {
    guard->cut("it held what others want, and neither sent nor read"_kj);
    return true;
  }
  return false;
}

bool MessageBudget::cutGreatest(kj::Maybe<kj::StringPtr> holder, const MessageGuard& waiting) {
  const auto kept = kj::max(limits.keptBytes, limits.shareBytes);
  auto most = greatest(holder.orDefault(greatestHolder()), [kept](MessageGuard& guard) {
    const auto held = guard.isCut ? 0 : guard.messageBytes(guard.unreadBytes());
    return held - kj::min(held, kept);
  });
  KJ_IF_MAYBE (guard, most) {
    if (guard == &waiting) return false;
    guard->cut("it held most of what others want"_kj);
    return true;
  }
  return false;
}

kj::StringPtr MessageBudget::greatestHolder() {
  auto most = greatest(nullptr, [](MessageGuard& guard) { return guard.heldBytes(); });
  KJ_IF_MAYBE (guard, most) return guard->holder;
  return nullptr;
}

kj::Maybe<MessageGuard&> MessageBudget::greatest(kj::Maybe<kj::StringPtr> holder,
                                                 kj::FunctionParam<size_t(MessageGuard&)> weigh) {
  struct Weighed {
    MessageGuard& guard;
    size_t bytes;
  };
  kj::Vector<Weighed> all;
  kj::HashMap<kj::StringPtr, size_t> byHolder;
  for (auto& guard : guards) {
    KJ_IF_MAYBE (name, holder) {
      if (guard.holder != *name) continue;
    }
    const auto bytes = weigh(guard);
    if (bytes == 0) continue;
    all.add(Weighed{guard, bytes});
    byHolder.findOrCreate(guard.holder,
                          [&]() { return decltype(byHolder)::Entry{guard.holder, 0}; }) += bytes;
  }
  kj::Maybe<MessageGuard&> found;
  size_t mostOfHolder = 0, most = 0;
  for (auto& candidate : all) {
    const auto ofHolder = KJ_ASSERT_NONNULL(byHolder.find(candidate.guard.holder));
    if (ofHolder < mostOfHolder || (ofHolder == mostOfHolder && candidate.bytes <= most)) continue;
    mostOfHolder = ofHolder;
    most = candidate.bytes;
    found = candidate.guard;
  }
  return found;
}

}  // namespace bothy
