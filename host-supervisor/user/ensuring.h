#pragma once

#include "user/shared-progress.h"
#include "user/user-workspaces.h"

namespace bothy {

// That one workspace of one user runs, for all who have asked since the first did.  Ends with the last of them.
class Ensuring final: public kj::Refcounted {
public:
  // `spec` and `actor`: of the first.  `owner` outlives it.
  Ensuring(UserWorkspaces& owner, kj::String key, UserId user, kj::String name, GivenSpec spec,
           kj::String actor);
  ~Ensuring() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Ensuring);

  // One more waits.
  kj::Promise<kj::Own<UserWorkspaces::Answer>> join(kj::Maybe<kj::Own<Progress>> listener);

private:
  using Done = UserWorkspaces::Done;
  using Outcome = UserWorkspaces::Outcome;

  UserWorkspaces& owner;
  WorkspaceManager& manager;
  const kj::String key;
  const UserId user;
  const kj::String name;
  const GivenSpec spec;
  const kj::String actor;
  kj::Own<SharedProgress> progress = kj::refcounted<SharedProgress>();
  // What was done so far.
  Done done = Done::CONNECTED;
  bool isOver = false;
  kj::ForkedPromise<kj::Own<UserWorkspaces::Answer>> answer;

  kj::Promise<kj::Own<UserWorkspaces::Answer>> run();
  // One try; none: it is in another state now, look again.
  kj::Promise<kj::Maybe<Outcome>> attempt();
  kj::Promise<kj::Maybe<Outcome>> create();
  kj::Promise<kj::Maybe<Outcome>> bringUp(kj::Own<Workspace> workspace);
  kj::Promise<kj::Maybe<Outcome>> outcomeOf(kj::Own<Workspace> workspace,
                                            kj::Promise<Workspace::StartOutcome> start);
  // What there is to tell of one that has been brought up, by what has become of it since; none: look again.
  kj::Maybe<Outcome> outcomeNow(kj::Own<Workspace> workspace);
  void note(Done what);
  void leave();
};

}  // namespace bothy
