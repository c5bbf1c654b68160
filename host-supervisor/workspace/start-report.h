#pragma once

#include <kj/refcount.h>
#include <kj/string.h>

#include "machine/start-fault.h"

namespace bothy {

// The way to a running workspace, in order; but for WAITING, which comes within STARTING_VM while others start first, and
// after which that comes again.
enum class Stage {
  CREATING_DISK,
  STARTING_VM,
  BOOTING,
  AGENT_READY,
  WAITING,
  SETTING_UP,
  RESUMING
};

// How a start ended.
struct StartReport final: public kj::Refcounted {
  struct Failure {
    Stage stage;
    StartFault fault;
    kj::String message;
    kj::String console;
    // The host's disk could not hold it: nothing was made.
    bool noSpace = false;
  };
  kj::Maybe<Failure> failure;
  // Of a creation that was to start nothing.
  bool isMadeOnly = false;

  kj::Own<StartReport> addRef() { return kj::addRef(*this); }
};

}  // namespace bothy
