#include "control/refusal-pace.h"

#include <kj/debug.h>

namespace bothy {

// Whose last one has waited has waited past the time of its next.
static_assert(RefusalPace::BETWEEN <= RefusalPace::LEAST);

kj::Promise<void> RefusalPace::next(ClientIdentity client) {
  const auto owner = client.owner;
  KJ_IF_MAYBE (leftOut, told.next()) {
    KJ_LOG(WARNING, "a token is refused", client.uid, owner, client.pid, *leftOut);
  }
  auto& user = users.findOrCreate(owner, [&]() { return decltype(users)::Entry{owner, User{}}; });
  if (user.waiting >= rpc::MAX_WAITING_REFUSALS) {
    kj::throwFatalException(
        KJ_EXCEPTION(OVERLOADED, kj::str("this user has shown ", rpc::MAX_WAITING_REFUSALS,
                                         " wrong tokens that are not answered yet: try later")));
  }
  ++user.waiting;
  const auto at = kj::max(timer.now() + LEAST, user.next);
  user.next = at + BETWEEN;
  KJ_DEFER({
    auto& left = KJ_ASSERT_NONNULL(users.find(owner));
    if (--left.waiting == 0) users.erase(owner);
  });
  co_await timer.atTime(at);
}

}  // namespace bothy
