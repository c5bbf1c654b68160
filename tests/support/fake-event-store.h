#pragma once

#include <kj/debug.h>
#include <kj/vector.h>

#include "store/store.h"

namespace bothy {

// A store that has events and nothing else, for whoever observes them.
class FakeEventStore final: public Store {
public:
  // Its number.
  uint64_t add(EventRecord event) {
    event.number = ++last;
    kept.add(kj::mv(event));
    return last;
  }
  // Nothing of them is kept, and their numbers go on.
  void forget() { kept.clear(); }

  kj::Promise<StoredState> begin() override { return StoredState{}; }
  kj::Promise<Committed> commit(Change) override { KJ_UNIMPLEMENTED("it has events only"); }
  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr) override {
    return kj::Maybe<RequestRecord>(nullptr);
  }
  kj::Promise<EventPage> events(uint64_t after, size_t limit) override {
    EventPage page;
    page.through = after;
    kj::Vector<EventRecord> found;
    // Their numbers have no gaps.
    const uint64_t first = kept.size() > 0 ? kept[0].number : 0;
    for (size_t i = after < first ? 0 : after - first + 1; i < kept.size(); i++) {
      if (found.size() == limit) break;
      found.add(kept[i].clone());
      page.through = kept[i].number;
    }
    if (kept.size() == 0) page.through = kj::max(after, last);
    page.events = found.releaseAsArray();
    return kj::mv(page);
  }
  kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(kj::StringPtr) override {
    KJ_UNIMPLEMENTED("nobody does");
  }
  kj::Promise<void> untilFenced() override { return kj::NEVER_DONE; }

private:
  kj::Vector<EventRecord> kept;
  uint64_t last = 0;
};

}  // namespace bothy
