#pragma once

#include "workspace/workspace.h"

namespace bothy {

// A workspace among thousands: its rows in little memory while nothing happens to it, or else its object.
class WorkspaceEntry final {
public:
  WorkspaceEntry(const WorkspaceRow& row, const kj::Maybe<MachineRow>& machine) {
    pack(row, machine);
  }
  WorkspaceEntry(WorkspaceEntry&&) = default;
  WorkspaceEntry& operator=(WorkspaceEntry&&) = default;

  kj::StringPtr name() const { return part(NAME); }
  kj::StringPtr id() const { return part(ID); }
  // Empty: nobody's.
  kj::StringPtr user() const { return part(USER); }
  // Of its user.
  kj::StringPtr userName() const { return part(USER_NAME); }
  // `host`: the name of this one.
  WorkspaceView view(kj::StringPtr host);

  // Of one without an object.
  WorkspaceJournal::Rows rows() const;
  // What it takes of its host, without an object.
  Demand demand() const;
  kj::Maybe<Workspace&> object() { return present; }
  void enter(Workspace& workspace) { present = workspace; }
  // It has no object any more, and these rows.
  void leave(const WorkspaceRow& row, const kj::Maybe<MachineRow>& machine);

  // What keeps the object while it is busy.
  kj::Maybe<kj::Own<Workspace>> busy;

private:
  enum Part { NAME, ID, USER, USER_NAME, IMAGE, TIER, LABELS, SETUP_FAILURE, FAILURE, DAMAGE };

  // The parts one behind the other, each but the last ended by a NUL.
  kj::String text;
  uint32_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  uint32_t nextDiskMib = 0;
  uint32_t setupSteps = 0;
  uint32_t setupDone = 0;
  bool isConfigured = false;
  Rest rest = Rest::STOPPED;
  int64_t createdNanos = 0;
  int64_t lastActiveNanos = 0;
  uint64_t sleeps = 0;
  // Of one that is hibernated.
  kj::Maybe<kj::Own<SleepRecord>> sleep;
  // Of one that is damaged, and of which a machine may be on the host.
  kj::Maybe<kj::Own<MachineRow>> machine;
  kj::Maybe<Workspace&> present;

  void pack(const WorkspaceRow& row, const kj::Maybe<MachineRow>& machineRow);
  kj::StringPtr part(Part which) const;
};

}  // namespace bothy
