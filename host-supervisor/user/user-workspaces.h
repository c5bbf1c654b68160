#pragma once

#include <kj/map.h>

#include "user/user-id.h"
#include "workspace/workspace-manager.h"

namespace bothy {

class Ensuring;

// The workspaces of the platform's users: which each has, by what he calls them, and that one runs when it is wanted.
class UserWorkspaces final {
public:
  // Both outlive it.
  UserWorkspaces(WorkspaceManager& manager, Randomness& randomness)
      : manager(manager), randomness(randomness) {}
  KJ_DISALLOW_COPY_AND_MOVE(UserWorkspaces);

  struct Wanted {
    kj::String user;
    // Empty: the one that he does not call anything.
    kj::String name;
    // Of the one that is made where he has none; without a name.
    GivenSpec spec;
    // Who asks, as EventRecord has him.
    kj::String actor = nullptr;
  };
  // What was done.  The numbers are those of the schema.
  enum class Done { CONNECTED, RESUMED, STARTED, CREATED, RECREATED };
  // It runs.
  struct Ensured {
    kj::Own<Workspace> workspace;
    Done done;
  };
  using Outcome = kj::OneOf<Ensured, StartReport::Failure, WorkspaceManager::Invalid,
                            WorkspaceManager::NoSuchImage, WorkspaceManager::NoSpace,
                            WorkspaceManager::Stopped, Busy, Underway, Shortage>;
  struct Answer final: public kj::Refcounted {
    explicit Answer(Outcome outcome) : outcome(kj::mv(outcome)) {}
    Outcome outcome;
    kj::Own<Answer> addRef() { return kj::addRef(*this); }
  };
  // Brings this user's workspace up from wherever it is, or makes it.  All who ask for the same one while that is under way get one answer and
  // hear of one progress.  This outlives the promise; what began goes on though all of them leave, see Workspace.
  kj::Promise<kj::Own<Answer>> ensure(Wanted wanted, kj::Maybe<kj::Own<Progress>> progress);

  // By user, and what he calls them.
  UserPage list(const UserQuery& query) { return manager.listOfUsers(query); }

  struct Removal {
    // Names of those that are gone.
    kj::Array<kj::String> deleted;
    struct Rest {
      kj::String name;
      Underway underway;
    };
    // The first that is still being deleted.
    kj::Maybe<Rest> underway;
  };
  // Deletes all that this user has now.
  kj::Promise<Removal> remove(kj::StringPtr user, kj::StringPtr actor = nullptr);

  // Nobody waits for a workspace.
  bool isIdle() const { return ensuring.size() == 0; }

private:
  friend class Ensuring;
  WorkspaceManager& manager;
  Randomness& randomness;
  // What is under way, by user and name.
  kj::TreeMap<kj::String, Ensuring*> ensuring;
};

}  // namespace bothy
