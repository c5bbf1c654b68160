#include "control/uid-owners.h"

#include <kj/debug.h>
#include <pwd.h>
#include <shadow/subid.h>
#include <stdlib.h>

#include <iterator>
#include <utility>

#include "control/client-identity.h"

namespace bothy {
namespace {

// What the list may call a user by.
kj::String nameOf(uid_t user) {
  constexpr size_t ENTRY_BYTES = 16 * 1024;
  auto buffer = kj::heapArray<char>(ENTRY_BYTES);
  passwd entry, *found = nullptr;
  if (getpwuid_r(user, &entry, buffer.begin(), buffer.size(), &found) == 0 && found != nullptr) {
    return kj::str(found->pw_name);
  }
  return kj::str(user);
}

OwnedUids rangeWith(uid_t uid, uid_t owner) {
  subid_range* ranges = nullptr;
  const int count = subid_get_uid_ranges(nameOf(owner).cStr(), &ranges);
  KJ_DEFER(free(ranges));
  for (int i = 0; i < count; i++) {
    const auto& range = ranges[i];
    if (range.start <= uid && uid - range.start < range.count) {
      const auto last = kj::min(range.count - 1, UIDS_UNKNOWN - range.start) + range.start;
      return {owner, static_cast<uid_t>(range.start), static_cast<uid_t>(last)};
    }
  }
  return {owner, uid, uid};
}

}  // namespace

kj::Promise<uid_t> SubordinateUids::ownerOf(uid_t uid) {
  if (uid == ROOT) return uid;
  const auto last = lastKnown(uid);
  auto key = uid, lastOwner = UIDS_UNKNOWN;
  auto mostOfOne = mostWaiting;
  KJ_IF_MAYBE (l, last) {
    if (timer.now() < l->until) return l->owner;
    key = l->first;
    lastOwner = l->owner;
    // Of a single one no more come than a user's share.
    if (l->first != l->last) mostOfOne = kj::max(mostWaiting / OWNER_WAITING_SHARE, size_t{1});
  }
  auto asked = waiting.find(key);
  const bool isAsked = asked != waiting.end();
  if (waitingInAll >= mostWaiting || (isAsked && asked->second.all.size() >= mostOfOne)) {
    tell(uid, lastOwner, "too many wait for what the host knows");
    return lastOwner;
  }
  ++waitingInAll;
  auto answer = kj::newPromiseAndFulfiller<uid_t>();
  if (isAsked) {
    asked->second.all.push_back({uid, kj::mv(answer.fulfiller)});
  } else {
    auto other = kj::newPromiseAndFulfiller<void>();
    asked = waiting.emplace(key, Waiters{{}, kj::mv(other.fulfiller)}).first;
    asked->second.all.push_back({uid, kj::mv(answer.fulfiller)});
    // It may have its answer at once, and takes those who wait with it.
    questions.add(ask(key, uid, kj::mv(other.promise)));
  }
  return kj::mv(answer.promise);
}

kj::Promise<void> SubordinateUids::ask(uid_t key, uid_t uid, kj::Promise<void> answered) {
  using Answer = kj::Maybe<OwnedUids>;
  OwnedUids answer{UIDS_UNKNOWN, uid, uid};
  KJ_IF_MAYBE (last, lastKnown(uid)) answer = *last;
  auto memory = OWNER_MEMORY;
  try {
    // A job that nobody waits for is not run.
    auto found = co_await worker
                     .run("whose a user id is", OWNER_LIMIT,
                          [find = find, uid]() -> Answer { return find(uid); })
                     .exclusiveJoin(answered.then([]() -> Answer { return nullptr; }));
    if (found == nullptr) co_return;
    answer = KJ_ASSERT_NONNULL(found);
  } catch (...) {
    memory = OWNER_FAULT_MEMORY;
    tell(uid, answer.owner, kj::getCaughtExceptionAsKj().getDescription());
  }
  learn(answer, memory);
  spread(key, answer);
}

void SubordinateUids::spread(uid_t key, OwnedUids answer) {
  std::vector<Waiter> told = take(key).all, others;
  for (auto i = waiting.lower_bound(answer.first); i != waiting.end() && answer.has(i->first);) {
    const auto next = (i++)->first;
    auto those = take(next);
    those.answered->fulfill();
    for (auto& one : those.all) told.push_back(kj::mv(one));
  }
  for (auto& one : told) {
    if (answer.has(one.uid)) {
      one.fulfiller->fulfill(kj::cp(answer.owner));
    } else {
      // It is not given together with the other any more.
      questions.add(ownerOf(one.uid).then([fulfiller = kj::mv(one.fulfiller)](uid_t owner) mutable {
        fulfiller->fulfill(kj::mv(owner));
      }));
    }
  }
}

SubordinateUids::Waiters SubordinateUids::take(uid_t key) {
  auto found = waiting.find(key);
  KJ_ASSERT(found != waiting.end());
  auto those = kj::mv(found->second);
  waiting.erase(found);
  waitingInAll -= those.all.size();
  return those;
}

kj::Maybe<SubordinateUids::Known&> SubordinateUids::lastKnown(uid_t uid) {
  auto next = known.upper_bound(uid);
  if (next == known.begin()) return nullptr;
  auto& last = std::prev(next)->second;
  if (!last.has(uid)) return nullptr;
  return last;
}

void SubordinateUids::learn(OwnedUids answer, kj::Duration memory) {
  // What was known of parts of it.
  known.erase(known.lower_bound(answer.first), known.upper_bound(answer.last));
  if (known.size() >= MAX_KNOWN_OWNERS) {
    // Who is nobody's goes before the oldest: of those come as many as somebody likes.
    auto rank = [](const Known& one) { return std::pair(one.owner != UIDS_UNKNOWN, one.until); };
    auto least = known.begin();
    for (auto i = known.begin(); i != known.end(); ++i) {
      if (rank(i->second) < rank(least->second)) least = i;
    }
    known.erase(least);
  }
  known.emplace(answer.first, Known{answer, timer.now() + memory});
}

void SubordinateUids::tell(uid_t uid, uid_t owner, kj::StringPtr why) {
  const auto now = timer.now();
  if (told != nullptr && now - KJ_ASSERT_NONNULL(told) < OWNER_LOG_PAUSE) return;
  told = now;
  KJ_LOG(WARNING, "a client counts as far as it is known", uid, owner, why);
}

void SubordinateUids::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "it was not learned whose a user id is", exception.getDescription());
}

OwnedUids SubordinateUids::askHost(uid_t uid) {
  // Else it writes to standard error.
  [[maybe_unused]] static const bool isSilent = subid_init("bothyd", nullptr);
  uid_t* owners = nullptr;
  // Below 0 where there is no list.
  const int count = subid_get_uid_owners(uid, &owners);
  KJ_DEFER(free(owners));
  if (count <= 0) return {uid, uid, uid};
  uid_t owner = ROOT;
  for (int i = 0; i < count && owner == ROOT; i++) owner = owners[i];
  auto found = rangeWith(uid, owner);
  if (owner == ROOT) found.owner = UIDS_OF_ROOT;
  return found;
}

}  // namespace bothy
