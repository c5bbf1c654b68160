#include "control/uid-owners.h"

#include <kj/debug.h>
#include <shadow/subid.h>
#include <stdlib.h>

namespace bothy {
namespace {

constexpr uid_t ROOT = 0;

}  // namespace

kj::Promise<uid_t> SubordinateUids::ownerOf(uid_t uid) {
  if (uid == ROOT) co_return uid;
  auto owner = uid;
  KJ_IF_MAYBE (last, known.find(uid)) {
    if (timer.now() - last->since < OWNER_MEMORY) co_return last->owner;
    // What is known is better than nothing.
    owner = last->owner;
  }
  try {
    owner = co_await worker.run("whose a user id is", OWNER_LIMIT,
                                [find = find, uid]() { return find(uid); });
  } catch (...) {
    KJ_LOG(WARNING, "a client counts as far as it is known", uid, owner,
           kj::getCaughtExceptionAsKj().getDescription());
    co_return owner;
  }
  if (known.size() >= MAX_KNOWN_OWNERS) known.clear();
  const Known entry{owner, timer.now()};
  known.upsert(uid, entry, [&](Known& old, Known&&) { old = entry; });
  co_return owner;
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
