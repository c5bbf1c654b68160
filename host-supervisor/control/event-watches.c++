#include "control/event-watches.h"

#include <kj/debug.h>

namespace bothy {
namespace {

template <typename Key>
void add(kj::HashMap<Key, kj::uint>& counts, Key key) {
  ++counts.findOrCreate(key, [&]() { return typename kj::HashMap<Key, kj::uint>::Entry{key, 0}; });
}

template <typename Key>
void remove(kj::HashMap<Key, kj::uint>& counts, Key key) {
  auto& count = KJ_ASSERT_NONNULL(counts.find(key));
  if (--count == 0) counts.erase(key);
}

}  // namespace

EventWatches::Place::Place(EventWatches& watches, const ClientIdentity& client)
    : watches(watches), client(client.number), user(client.owner) {
  add(watches.byClient, this->client);
  add(watches.byUser, user);
}

EventWatches::Place::~Place() noexcept(false) {
  remove(watches.byClient, client);
  remove(watches.byUser, user);
}

kj::Own<EventWatches::Place> EventWatches::requirePlace(const ClientIdentity& client) {
  auto refuse = [](kj::StringPtr who, kj::uint most) {
    kj::throwFatalException(KJ_EXCEPTION(
        OVERLOADED,
        kj::str(who, " ", most, " watches of events, as many as it may: it has to drop one")));
  };
  if (byClient.find(client.number).orDefault(0) >= MAX_HELD_WATCHES) {
    refuse("this client holds", MAX_HELD_WATCHES);
  }
  if (byUser.find(client.owner).orDefault(0) >= MAX_WATCHES_OF_USER) {
    refuse("this user holds, by all clients together,", MAX_WATCHES_OF_USER);
  }
  return kj::heap<Place>(*this, client);
}

void EventWatches::noteUnreadable(const kj::Exception& why) {
  KJ_IF_MAYBE (leftOut, unreadable.next()) {
    KJ_LOG(ERROR, "events cannot be read; trying again", why.getDescription(), *leftOut);
  }
}

}  // namespace bothy
