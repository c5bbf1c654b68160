#pragma once

#include <kj/map.h>

#include "store/store.h"

namespace bothy {

// What a SimulatedStore keeps of how workspaces are used.
class SimulatedActivity final {
public:
  SimulatedActivity clone() const;
  // Whether it fits what is there.
  bool apply(const Change::ActivityStep& step,
             const kj::TreeMap<kj::String, WorkspaceRow>& workspaces);
  void eraseOf(kj::StringPtr workspaceId);
  void tell(StoredState& state) const;

private:
  kj::TreeMap<kj::String, ActivityRow> activities;
  kj::TreeMap<kj::String, WakeLockRow> locks;
};

}  // namespace bothy
