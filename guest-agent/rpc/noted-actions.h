#pragma once

#include <kj/refcount.h>
#include <kj/time.h>

#include "actions/action-line.h"
#include "actions/action-log.h"
#include "lane/lane-grant.h"
#include "schema/process.capnp.h"
#include "schema/system.capnp.h"
#include "schema/terminal.capnp.h"

namespace bothy {

// Where what is done over lanes is noted.  Both outlive all lanes.
struct ActionNotes {
  ActionLog& log;
  const kj::Clock& clock;
};

// The same, with on whose behalf: of one lane.
class LaneNotes final: public kj::Refcounted {
public:
  LaneNotes(ActionNotes notes, const LaneGrant& grant);

  // To be added when it is complete.
  ActionLine begin(kj::StringPtr what) const;
  // Of a command that is to be started.
  ActionLine begin(kj::StringPtr what, rpc::Command::Reader command) const;
  void add(ActionLine& line) const { notes.log.add(line.finish()); }

  kj::Own<LaneNotes> addRef() { return kj::addRef(*this); }

private:
  const ActionNotes notes;
  const uint64_t lane;
  const kj::String session;
  const kj::String actor;
};

// Each serves what `inner` serves, which outlives it, and notes what was begun: a terminal, a program, the machine's end.  What failed to begin is
// not noted.  A call that is repeated with its request id is noted again, with the same number.
rpc::Terminals::Client noteTerminals(rpc::Terminals::Server& inner, kj::Own<LaneNotes> notes);
rpc::Processes::Client notePrograms(rpc::Processes::Server& inner, kj::Own<LaneNotes> notes);
rpc::System::Client noteMachine(rpc::System::Server& inner, kj::Own<LaneNotes> notes);

}  // namespace bothy
