// What must hold of workspaces that are hibernated.

#include "simulation/invariants.h"

namespace bothy {

// It takes the host's disk, and nothing else.
void Invariants::checkSleep(kj::StringPtr id) {
  auto label = host.label(id);
  if (host.machinery.lives(id)) {
    host.judge.accuse("workspace ", label, " is hibernated, and a machine of it is on the host");
  }
  if (host.store.machine(id) != nullptr) {
    host.judge.accuse("workspace ", label, " is hibernated, and keeps its lease");
  }
  auto& row = KJ_ASSERT_NONNULL(host.store.row(id));
  auto memory = host.memories.find(id);
  // It is refused, and that is seen by whoever wakes it.
  const bool isOld = memory != nullptr && KJ_ASSERT_NONNULL(memory).isOld;
  if (isOld) return;
  if (!row.sleep.isThere() || memory == nullptr || KJ_ASSERT_NONNULL(memory).seal != row.sleeps) {
    host.judge.accuse("workspace ", label, " is hibernated, and its memory is lost");
  }
}

void Invariants::checkAwake() {
  for (auto& entry : host.store.workspaces()) {
    auto& row = entry.value;
    if (row.sleep.isThere() && row.rest != Rest::HIBERNATED) {
      host.judge.accuse("workspace ", host.label(row.id),
                        " is not hibernated, and the database says that memory of it is kept");
    }
  }
}

}  // namespace bothy
