#include "control/uid-owners.h"

#include <kj/debug.h>
#include <shadow/subid.h>
#include <stdlib.h>

#include "control/client-identity.h"

namespace bothy {

kj::Promise<uid_t> SubordinateUids::ownerOf(uid_t uid) {
  if (uid == ROOT) return uid;
  KJ_IF_MAYBE (last, known.find(uid)) {
    if (timer.now() < last->until) return last->owner;
  }
  if (waitingInAll >= mostWaiting) {
    const auto owner = lastKnown(uid);
    tell(uid, owner, "too many wait for what the host knows");
    return owner;
  }
  ++waitingInAll;
  auto answer = kj::newPromiseAndFulfiller<uid_t>();
  KJ_IF_MAYBE (others, waiting.find(uid)) {
    others->push_back(kj::mv(answer.fulfiller));
  } else {
    waiting.insert(uid, {}).value.push_back(kj::mv(answer.fulfiller));
    questions.add(ask(uid));
  }
  return kj::mv(answer.promise);
}

kj::Promise<void> SubordinateUids::ask(uid_t uid) {
  auto owner = lastKnown(uid);
  auto memory = OWNER_MEMORY;
  try {
    owner = co_await worker.run("whose a user id is", OWNER_LIMIT,
                                [find = find, uid]() { return find(uid); });
  } catch (...) {
    memory = OWNER_FAULT_MEMORY;
    tell(uid, owner, kj::getCaughtExceptionAsKj().getDescription());
  }
  learn(uid, owner, memory);
  auto those = kj::mv(KJ_ASSERT_NONNULL(waiting.find(uid)));
  waiting.erase(uid);
  waitingInAll -= those.size();
  for (auto& one : those) one->fulfill(kj::cp(owner));
}

uid_t SubordinateUids::lastKnown(uid_t uid) {
  KJ_IF_MAYBE (last, known.find(uid)) return last->owner;
  return UIDS_UNKNOWN;
}

void SubordinateUids::learn(uid_t uid, uid_t owner, kj::Duration memory) {
  const Known entry{owner, timer.now() + memory};
  KJ_IF_MAYBE (old, known.find(uid)) {
    *old = entry;
    return;
  }
  if (known.size() >= MAX_KNOWN_OWNERS) {
    auto oldest = known.begin();
    for (auto i = known.begin(); i != known.end(); ++i) {
      if (i->value.until < oldest->value.until) oldest = i;
    }
    known.erase(*oldest);
  }
  known.insert(uid, entry);
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

uid_t SubordinateUids::askHost(uid_t uid) {
  // Else it writes to standard error.
  [[maybe_unused]] static const bool isSilent = subid_init("bothyd", nullptr);
  uid_t* owners = nullptr;
  // Below 0 where there is no list.
  const int count = subid_get_uid_owners(uid, &owners);
  KJ_DEFER(free(owners));
  if (count <= 0) return uid;
  for (int i = 0; i < count; i++) {
    if (owners[i] != ROOT) return owners[i];
  }
  return UIDS_OF_ROOT;
}

}  // namespace bothy
