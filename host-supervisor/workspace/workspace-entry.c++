#include "workspace/workspace-entry.h"

#include <kj/debug.h>

#include <string.h>

namespace bothy {

void WorkspaceEntry::pack(const WorkspaceRow& row, const kj::Maybe<MachineRow>& machineRow) {
  const char between[] = {'\0'};
  auto nul = kj::arrayPtr(between, 1);
  text =
      kj::str(row.name, nul, row.id, nul, row.user, nul, row.userName, nul, row.image, nul,
              row.tier, nul, row.labels, nul, row.setupFailure, nul, row.failure, nul, row.damage);
  cpus = row.cpus;
  memoryMib = row.memoryMib;
  diskMib = row.diskMib;
  nextDiskMib = row.nextDiskMib;
  setupSteps = row.setupSteps;
  setupDone = row.setupDone;
  isConfigured = row.isConfigured;
  rest = row.rest;
  createdNanos = row.createdNanos;
  lastActiveNanos = row.lastActiveNanos;
  sleeps = row.sleeps;
  sleep = nullptr;
  if (row.sleep.isThere()) sleep = kj::heap(row.sleep.clone());
  machine = machineRow.map([](const MachineRow& m) { return kj::heap(m.clone()); });
}

kj::StringPtr WorkspaceEntry::part(Part which) const {
  auto begin = text.begin();
  for (int i = NAME; i < which; i++) begin += strlen(begin) + 1;
  return begin;
}

void WorkspaceEntry::leave(const WorkspaceRow& row, const kj::Maybe<MachineRow>& machineRow) {
  present = nullptr;
  pack(row, machineRow);
}

WorkspaceJournal::Rows WorkspaceEntry::rows() const {
  WorkspaceRow row;
  row.name = kj::str(name());
  row.id = kj::str(id());
  row.user = kj::str(user());
  row.userName = kj::str(userName());
  row.image = kj::str(part(IMAGE));
  row.tier = kj::str(part(TIER));
  row.labels = kj::str(part(LABELS));
  row.isConfigured = isConfigured;
  row.setupSteps = setupSteps;
  row.setupDone = setupDone;
  row.setupFailure = kj::str(part(SETUP_FAILURE));
  row.failure = kj::str(part(FAILURE));
  row.damage = kj::str(part(DAMAGE));
  row.cpus = cpus;
  row.memoryMib = memoryMib;
  row.diskMib = diskMib;
  row.nextDiskMib = nextDiskMib;
  row.rest = rest;
  row.createdNanos = createdNanos;
  row.lastActiveNanos = lastActiveNanos;
  row.sleeps = sleeps;
  KJ_IF_MAYBE (s, sleep) row.sleep = (*s)->clone();
  return {kj::mv(row), machine.map([](const kj::Own<MachineRow>& m) { return m->clone(); }),
          nullptr};
}

Demand WorkspaceEntry::demand() const {
  Demand demand{0, 0, rest == Rest::EXPIRED ? 0 : kj::max(diskMib, nextDiskMib)};
  KJ_IF_MAYBE (m, machine) {
    demand.memoryMib = (*m)->memoryMib;
    demand.cpus = (*m)->cpus;
  }
  return demand;
}

WorkspaceView WorkspaceEntry::view(kj::StringPtr host) {
  KJ_IF_MAYBE (workspace, present) {
    return workspace->view();
  }
  WorkspaceView result;
  result.name = name();
  result.id = id();
  result.user = user();
  result.userName = userName();
  result.host = host;
  result.image = part(IMAGE);
  result.tier = part(TIER);
  result.labels = part(LABELS);
  result.setupSteps = setupSteps;
  result.setupDone = setupDone;
  result.setupFailure = part(SETUP_FAILURE);
  result.cpus = cpus;
  result.memoryMib = memoryMib;
  result.diskMib = diskMib;
  if (nextDiskMib > diskMib)
    result.atNextStart = WorkspaceView::Figures{cpus, memoryMib, nextDiskMib};
  // One that is damaged rests there too.
  result.state = stateOf(rest, nullptr);
  result.failure = part(FAILURE);
  result.createdNanos = createdNanos;
  result.lastActiveNanos = lastActiveNanos;
  KJ_IF_MAYBE (s, sleep) result.sleep = WorkspaceView::Sleep{(*s)->sinceNanos, (*s)->bytes};
  return result;
}

}  // namespace bothy
