#include "vm/libvirt-event-box.h"

#include <algorithm>

namespace bothy {
namespace {

void enter(std::deque<LibvirtEvent>& events, LibvirtEvent event) {
  size_t removals = 0;
  for (auto& waiting : events) {
    if (waiting.kind != event.kind) continue;
    if (waiting.device == event.device) return;
    ++removals;
  }
  if (removals >= LibvirtEventBox::DEVICE_LIMIT) {
    events.erase(std::find_if(events.begin(), events.end(), [&](const LibvirtEvent& waiting) {
      return waiting.kind == event.kind;
    }));
  }
  events.push_back(kj::mv(event));
}

}  // namespace

void LibvirtEventBox::put(LibvirtEvent event) const {
  auto state = guarded.lockExclusive();
  auto& domain = *state->domains.findOrCreate(event.domain, [&]() {
    auto fresh = kj::heap<Domain>();
    fresh->name = kj::str(event.domain);
    state->turns.push_back(fresh.get());
    return kj::HashMap<kj::String, kj::Own<Domain>>::Entry{kj::str(event.domain), kj::mv(fresh)};
  });
  enter(domain.events, kj::mv(event));
  KJ_IF_MAYBE (reader, state->reader) {
    (*reader)->fulfill();
    state->reader = nullptr;
  }
}

kj::Promise<LibvirtEvent> LibvirtEventBox::take() {
  for (;;) {
    auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
    {
      auto state = guarded.lockExclusive();
      if (!state->turns.empty()) {
        auto& domain = *state->turns.front();
        state->turns.pop_front();
        auto event = kj::mv(domain.events.front());
        domain.events.pop_front();
        if (domain.events.empty()) {
          state->domains.erase(event.domain);
        } else {
          state->turns.push_back(&domain);
        }
        co_return kj::mv(event);
      }
      state->reader = kj::mv(paf.fulfiller);
    }
    co_await paf.promise;
  }
}

}  // namespace bothy
