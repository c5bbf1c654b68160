#pragma once

#include "simulation/incarnation.h"
#include "simulation/ledger.h"

namespace bothy {

// Clients of one life of bothyd: they ask for random things and hold it to what it tells them.  Their calls
// are those that the facets of control/ make.
class Clients final {
public:
  Clients(SimulatedHost& host, Ledger& ledger, Incarnation& bothyd);
  KJ_DISALLOW_COPY_AND_MOVE(Clients);

  // One client, until the ledger's budget is used up.  The life owns what this returns.
  kj::Promise<void> live(uint32_t number);
  // Starts so many workspaces of a crowd at once, and of each waits for what comes of it.
  kj::Promise<void> startMany(size_t count);
  // Starts every workspace that does not run.
  kj::Promise<void> startAll();
  // Deletes every workspace at once.
  kj::Promise<void> deleteAll();

private:
  SimulatedHost& host;
  Ledger& ledger;
  Incarnation& bothyd;

  // A call, with what every call is held to.
  kj::Promise<void> attempt(kj::String who, kj::Promise<void> call);
  kj::Maybe<kj::String> endedUnstored();
  kj::Promise<void> choose(kj::StringPtr who);

  kj::Promise<void> create(kj::String who, Ledger::Ask ask);
  kj::Promise<void> start(kj::String who, kj::String name);
  kj::Promise<void> stop(kj::String who, kj::String name);
  kj::Promise<void> erase(kj::String who, kj::String name);
  kj::Promise<void> resize(kj::String who, kj::String name, uint32_t growMib);
  kj::Promise<void> hibernate(kj::String who, kj::String name);
  bool libvirtObeys() const;
  kj::Promise<void> pause(kj::String who, kj::String name);
  kj::Promise<void> resume(kj::String who, kj::String name);
  kj::Promise<void> changeTier(kj::String who, kj::String name);
  // Of users, and of what expires.  user-calls.c++
  kj::Promise<void> expire(kj::String who, kj::String name);
  kj::Promise<void> ensure(kj::String who);
  void examineEnsured(kj::StringPtr who, kj::StringPtr user, kj::StringPtr name,
                      const UserWorkspaces::Ensured& told);
  kj::Maybe<kj::String> nameOfUsers();
  kj::Promise<void> ping(kj::String who, kj::String name);
  void list(kj::StringPtr who);
  // Of sessions.  session-calls.c++
  kj::Promise<void> makeSession(kj::String who, kj::String name);
  kj::Promise<void> useSession(kj::String who, Ledger::SessionFacts& facts);
  kj::Promise<void> revokeSession(kj::String who, Ledger::SessionFacts& facts);
  kj::Promise<void> chooseOfSessions(kj::String who, kj::String name);
  kj::Promise<void> holdLane(kj::Own<Session> session, kj::String vm, uint64_t lane,
                             kj::Own<kj::AsyncIoStream> stream, kj::Duration howLong);
  size_t openLanes(const Ledger::SessionFacts& facts);

  // Of set-up.  setup-calls.c++
  static constexpr uint32_t MOST_SETUP_STEPS = 4;
  GivenConfiguration configurationFor(const Ledger::Ask& ask);
  kj::Promise<void> retrySetup(kj::String who, kj::String name);

  Ledger::Ask newAsk();
  // What a life that is over says is heard by nobody.
  bool isHeard() { return bothyd.serves(); }
  void examine(kj::StringPtr who, const StartReport::Failure& failure);
  void examine(kj::StringPtr who, const Underway& underway);
  void examine(kj::StringPtr who, const Shortage& shortage);
  void examineCreated(const Ledger::Ask& ask, const WorkspaceRow& row);
  void examineGone(kj::StringPtr id);
  bool hasRunSince(kj::StringPtr id, uint64_t event);
};

}  // namespace bothy
