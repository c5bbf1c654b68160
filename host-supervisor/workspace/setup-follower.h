#pragma once

#include "machine/machine-slot.h"
#include "wire/waiters.h"
#include "workspace/start-progress.h"
#include "workspace/workspace-journal.h"

namespace bothy {

// Between two questions to an agent, which may have more to tell: a hostile one makes bothyd no more work than that.
constexpr kj::Duration SETUP_QUESTION_PAUSE = 200 * kj::MILLISECONDS;

// No call waits longer for a set-up, which goes on.
constexpr kj::Duration LONGEST_SETUP_WAIT = 1 * kj::HOURS;

// Follows how the agent of one workspace's machine sets it up, and stores how far that is.  What is done is the agent's affair, and its journal's: nothing of it
// depends on anybody's following.
class SetupFollower final {
public:
  // All outlive it.
  SetupFollower(const World& world, WorkspaceJournal& journal, MachineSlot& slot,
                StartProgress& progress);
  ~SetupFollower() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SetupFollower);

  // Something of the workspace has changed: it begins to follow, or ends.  `isUnderWay`: an operation is.
  void look(bool isUnderWay);
  // Resolves when the steps are done, or one has failed, or it does not run any more, nor boots anew; or when the steps that are left have
  // had all the time that they may take, or LONGEST_SETUP_WAIT is over.
  kj::Promise<void> onEnd();
  // As far as is known there are steps that are not done, and none has failed.
  bool isUnfinished() const;

  struct Retried {};
  struct NothingFailed {};
  struct AgentTooOld {
    uint16_t generation;
  };
  using RetryOutcome = kj::OneOf<Retried, NothingFailed, AgentTooOld>;
  // Of a workspace that runs.  Fails where its agent cannot be asked.
  kj::Promise<RetryOutcome> retry();

  // What the step that is being done has said last, escaped; empty where none is.
  kj::StringPtr line() const { return lastLine; }

private:
  const World& world;
  WorkspaceJournal& journal;
  MachineSlot& slot;
  StartProgress& progress;
  bool isFollowing = false;
  kj::Promise<void> following = nullptr;
  // There is nothing more to be learned of the boot that runs.
  bool isSettled = false;
  kj::Array<kj::String> names;
  kj::String lastLine;
  // The first step of this boot of which nobody was told yet.
  uint32_t untold = 0;
  Waiters waiters;

  bool isOfInterest() const;
  bool mayGoOn() const;
  kj::Promise<kj::Duration> timeOfRest();
  kj::Promise<void> follow();
  // Until there is nothing more to be learned.
  kj::Promise<void> followOnce(Machine& machine);
  // `done`: so many steps.  Whether there is more to come.
  kj::Promise<bool> note(rpc::SetupStatus::Reader status, uint32_t done);
  void tellUpTo(uint32_t step);
  kj::Promise<void> store(uint32_t done, kj::String failure);
  kj::StringPtr nameOf(uint32_t step) const;
};

}  // namespace bothy
