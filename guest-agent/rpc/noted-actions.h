#pragma once

#include <kj/refcount.h>
#include <kj/time.h>

#include "actions/action-line.h"
#include "actions/action-log.h"
#include "files/file-counts.h"
#include "lane/lane-grant.h"
#include "process/client-actions.h"
#include "rpc/action-shares.h"
#include "schema/system.capnp.h"

namespace bothy {

// Where what is done over lanes is noted.  All outlive all lanes, and whatever was begun over one.
struct ActionNotes {
  ActionLog& log;
  const kj::Clock& clock;
  ActionShares& shares;
};

// What is done over one lane, noted with on whose behalf.  Of starts those are noted that began something or were given up; one that is asked for
// again with its request id is not.
// What is done to terminals and programs that are there has so many lines a minute, and then one that says how many are left out: who may do no
// more than look at a terminal does not drive out of the log what others did.  They are of their actor's share, too.
class LaneNotes final: public ClientActions {
public:
  LaneNotes(ActionNotes notes, const LaneGrant& grant);
  ~LaneNotes() noexcept(false);

  static constexpr uint32_t MAX_DEEDS = 30;
  static constexpr kj::Duration DEEDS_PERIOD = 1 * kj::MINUTES;

  kj::Own<AskedStart> asked(ProgramKind kind, rpc::Command::Reader command) override;
  void did(kj::StringPtr what, ProgramKind kind, uint64_t id) override;

  // To be added when it is complete.
  ActionLine begin(kj::StringPtr what) const;
  void add(ActionLine& line) const { notes.log.add(line.finish()); }

  kj::Own<LaneNotes> addRef() { return kj::addRef(*this); }

  // Whether another of what may be done at will is noted; else it is counted.
  bool admits() const { return notes.shares.admits(whose.actor); }
  // That the lane, which is for files, begins.
  void addOpened(const LaneGrant& grant) const;

private:
  class NotedStart;
  struct Whose {
    uint64_t lane;
    kj::String session, actor;
    Whose clone() const { return {lane, kj::str(session), kj::str(actor)}; }
    ActionLine begin(kj::Date now, kj::StringPtr what) const;
  };

  const ActionNotes notes;
  const Whose whose;
  kj::Date periodBegan = kj::UNIX_EPOCH;
  uint32_t deeds = 0;  // since then
  uint64_t leftOut = 0;

  void tellLeftOut();
};

// Notes that a lane for files begins, and when it is dropped that the lane has ended, with what was counted; or neither, where its actor has
// had his share.
class FileLaneNote final {
public:
  FileLaneNote(ActionNotes notes, const LaneGrant& grant);
  ~FileLaneNote() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FileLaneNote);

  // As whoever served the lane says.
  void count(const FileCounts& counts) { counted = counts; }

private:
  const kj::Own<LaneNotes> notes;
  const bool isNoted;
  kj::Maybe<FileCounts> counted;
};

// Serves what `inner` serves, which outlives it, and notes that the machine is to end.
rpc::System::Client noteMachine(rpc::System::Server& inner, kj::Own<LaneNotes> notes);

}  // namespace bothy
