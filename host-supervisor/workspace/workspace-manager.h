#pragma once

#include <kj/map.h>

#include "workspace/workspace-spec.h"
#include "workspace/workspace.h"

namespace bothy {

// All workspaces of this host.
class WorkspaceManager final: private Workspace::Owner,
                              private VmDriver::Events,
                              private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    SpecDefaults defaults;
    // Each workspace has a user id of its own from here; so many workspaces there can be.
    uint32_t firstUid = 700000;
    uint32_t uidCount = 10000;
  };

  WorkspaceManager(World world, Limits limits);
  ~WorkspaceManager() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceManager);

  // Once, before anything else: takes over what an earlier supervisor left.  When it returns the list is
  // complete and tells the truth; what takes longer (the rest of a start or a stop) goes on.
  kj::Promise<void> recover();

  struct CreateRequest {
    GivenSpec spec;
    // Empty: none.  At most `maxRequestIdBytes`.
    kj::String requestId;
    bool start = true;
  };
  struct Created {
    kj::Own<Workspace> workspace;
  };
  struct Exists {
    kj::Own<Workspace> workspace;
  };
  struct Invalid {
    kj::String why;
  };
  struct NoSuchImage {
    kj::String name;
  };
  struct RequestConflict {};
  struct NoSpace {
    kj::String why;
  };
  // A stop came before it ran.
  struct Stopped {
    kj::Own<Workspace> workspace;
  };
  using CreateOutcome = kj::OneOf<Created, Exists, Invalid, NoSuchImage, RequestConflict,
                                  StartReport::Failure, NoSpace, Stopped>;
  kj::Promise<CreateOutcome> create(CreateRequest request, kj::Maybe<kj::Own<Progress>> progress);

  kj::Maybe<kj::Own<Workspace>> find(kj::StringPtr name);
  // By name.
  kj::Array<kj::Own<Workspace>> list();

private:
  World world;
  Limits limits;
  kj::TreeMap<kj::String, kj::Own<Workspace>> byName;
  // Gone, until what still runs within them has returned.
  kj::Vector<kj::Own<Workspace>> graves;
  uint32_t lastUid = 0;
  // Names, request ids and user ids of workspaces that are on their way into the store.
  class Claim;
  kj::TreeMap<kj::String, kj::ForkedPromise<void>> claims;
  kj::HashSet<uint32_t> claimedUids;
  kj::TaskSet tasks;

  // As which it is told of the end of each.
  Workspace::Owner& owner() { return *this; }
  void gone(Workspace& workspace) override;
  void keep(kj::Promise<void> work) override;
  void enter(StoredState state);
  kj::Promise<void> examineStrangers(bool isNew);
  kj::Promise<bool> removeStrays();
  kj::Promise<void> keepRemovingStrays();
  void removeStrayFiles();
  kj::Array<kj::String> ids();
  void vsockLost(kj::StringPtr vmName) override;
  void vsockRestored(kj::StringPtr vmName) override;
  void diskFull(kj::StringPtr vmName) override;
  void diskFreed(kj::StringPtr vmName) override;
  void taskFailed(kj::Exception&& exception) override;

  kj::Maybe<uint32_t> freeUid();
  // One that is damaged, and whose machine may run with any user id.
  kj::Maybe<Workspace&> ofUnknownUid();
  kj::Maybe<Workspace&> byId(kj::StringPtr id);
  void note(kj::StringPtr vmName, Cause cause, kj::StringPtr detail);
  kj::Promise<CreateOutcome> admit(CreateRequest request, kj::Maybe<kj::Own<Progress>> progress);
  kj::Promise<kj::Own<Claim>> claim(kj::StringPtr name, kj::StringPtr requestId);
  kj::Promise<CreateOutcome> answerAgain(RequestRecord earlier, kj::StringPtr asked,
                                         kj::Own<Workspace> workspace,
                                         kj::Maybe<kj::Own<Progress>> progress);
  static CreateOutcome outcomeOf(kj::Own<Workspace> workspace, Workspace::StartOutcome outcome);
};

// The first guest address that vsock(7) does not reserve.
constexpr uint32_t FIRST_CID = 3;

}  // namespace bothy
