#include "workspace/workspace-state.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr Rest RESTS[] = {Rest::STOPPED, Rest::RUNNING, Rest::FAILED,
                          Rest::PAUSED,  Rest::EXPIRED, Rest::HIBERNATED};
constexpr OperationKind KINDS[] = {
    OperationKind::CREATE,    OperationKind::START, OperationKind::STOP,   OperationKind::RESIZE,
    OperationKind::DELETE,    OperationKind::PAUSE, OperationKind::RESUME, OperationKind::EXPIRE,
    OperationKind::HIBERNATE, OperationKind::WAKE};
constexpr Wish WISHES[] = {Wish::START, Wish::STOP,   Wish::DELETE, Wish::RESIZE,
                           Wish::PAUSE, Wish::RESUME, Wish::EXPIRE, Wish::HIBERNATE};

// Every state, whatever it is computed from.
template <typename Func>
void forEachState(Func&& check) {
  for (auto rest : RESTS) {
    check(stateOf(rest, nullptr));
    for (auto kind : KINDS) check(stateOf(rest, kind));
  }
}

TEST_CASE("P28 delete is accepted in every state") {
  forEachState([](WorkspaceState state) {
    INFO(toString(state).cStr());
    CHECK(replyTo(Wish::DELETE, state) != Reply::BUSY);
    CHECK(replyTo(Wish::DELETE, state) != Reply::ALREADY);
  });
}

TEST_CASE("P28 only what rests begins, and only what is under way is joined or superseded") {
  for (auto wish : WISHES) {
    for (auto rest : RESTS) {
      auto reply = replyTo(wish, stateOf(rest, nullptr));
      CHECK((reply != Reply::JOIN && reply != Reply::SUPERSEDE));
      for (auto kind : KINDS) CHECK(replyTo(wish, stateOf(rest, kind)) != Reply::BEGIN);
    }
  }
}

TEST_CASE("a second start, stop, delete and resize join the first") {
  CHECK(replyTo(Wish::START, WorkspaceState::STARTING) == Reply::JOIN);
  CHECK(replyTo(Wish::STOP, WorkspaceState::STOPPING) == Reply::JOIN);
  CHECK(replyTo(Wish::DELETE, WorkspaceState::DELETING) == Reply::JOIN);
  CHECK(replyTo(Wish::RESIZE, WorkspaceState::RESIZING) == Reply::JOIN);
}

TEST_CASE("P28 P58 what each wish comes to in each state") {
  using S = WorkspaceState;
  using R = Reply;
  constexpr R B = R::BEGIN, J = R::JOIN, A = R::ALREADY, U = R::SUPERSEDE, X = R::BUSY;
  constexpr S STATES[] = {S::CREATING, S::STOPPED, S::STARTING, S::RUNNING,    S::STOPPING,
                          S::DELETING, S::FAILED,  S::RESIZING, S::PAUSED,     S::PAUSING,
                          S::RESUMING, S::EXPIRED, S::EXPIRING, S::HIBERNATED, S::HIBERNATING};
  constexpr R TABLE[kj::size(WISHES)][kj::size(STATES)] = {
      // creating, stopped, starting, running, stopping, deleting, failed, resizing, paused, pausing, resuming, expired,
      // expiring, hibernated, hibernating
      {X, B, J, A, X, X, B, X, B, X, J, B, X, B, X},  // start
      {X, A, U, B, J, X, A, A, B, U, U, A, A, B, U},  // stop
      {U, B, U, B, U, J, B, U, B, U, U, B, U, B, U},  // delete
      {X, B, X, X, X, X, B, J, X, X, X, X, X, X, X},  // resize
      {X, X, X, B, X, X, X, X, A, J, X, X, X, X, X},  // pause
      {X, X, X, A, X, X, X, X, B, X, J, X, X, B, X},  // resume
      {X, B, X, X, X, X, B, X, X, X, X, A, J, B, X},  // expire
      {X, X, X, B, X, X, X, X, B, X, X, X, X, A, J},  // hibernate
  };
  for (size_t wish = 0; wish < kj::size(WISHES); wish++) {
    for (size_t state = 0; state < kj::size(STATES); state++) {
      INFO("wish " << wish << ", state " << toString(STATES[state]).cStr());
      CHECK(replyTo(WISHES[wish], STATES[state]) == TABLE[wish][state]);
    }
  }
}

TEST_CASE("P58 a machine may be there, and has a lease, as long as it is up, paused or not") {
  using S = WorkspaceState;
  for (auto state : {S::RUNNING, S::PAUSED, S::PAUSING, S::RESUMING, S::HIBERNATING}) {
    CHECK((isUp(state) && mayRun(state)));
    CHECK(isHalted(state) == (state != S::RUNNING));
  }
  for (auto state : {S::CREATING, S::STOPPED, S::STARTING, S::STOPPING, S::DELETING, S::FAILED,
                     S::RESIZING, S::EXPIRED, S::EXPIRING}) {
    CHECK((!isUp(state) && !isHalted(state)));
    CHECK_FALSE(mayHaveMemory(state));
  }
  // Its memory alone is there.
  CHECK((!isUp(S::HIBERNATED) && !mayRun(S::HIBERNATED)));
  CHECK((isHalted(S::HIBERNATED) && mayHaveMemory(S::HIBERNATED)));
}

TEST_CASE("P58 a pause that fails leaves what runs, and a resume what is paused") {
  auto after = [](OperationKind kind, Outcome outcome) {
    return KJ_ASSERT_NONNULL(restAfter(kind, outcome));
  };
  CHECK(after(OperationKind::PAUSE, Outcome::SUCCEEDED) == Rest::PAUSED);
  CHECK(after(OperationKind::PAUSE, Outcome::FAILED) == Rest::RUNNING);
  CHECK(after(OperationKind::RESUME, Outcome::SUCCEEDED) == Rest::RUNNING);
  CHECK(after(OperationKind::RESUME, Outcome::FAILED) == Rest::PAUSED);
  CHECK(after(OperationKind::HIBERNATE, Outcome::SUCCEEDED) == Rest::HIBERNATED);
  CHECK(after(OperationKind::HIBERNATE, Outcome::FAILED) == Rest::RUNNING);
  CHECK(after(OperationKind::WAKE, Outcome::SUCCEEDED) == Rest::RUNNING);
  CHECK(after(OperationKind::WAKE, Outcome::FAILED) == Rest::HIBERNATED);
  CHECK(restDuring(OperationKind::WAKE, Rest::HIBERNATED) == Rest::HIBERNATED);
  CHECK(restDuring(OperationKind::PAUSE, Rest::RUNNING) == Rest::RUNNING);
  CHECK(restDuring(OperationKind::RESUME, Rest::PAUSED) == Rest::PAUSED);
  CHECK(restDuring(OperationKind::STOP, Rest::PAUSED) == Rest::PAUSED);
}

TEST_CASE("P28 what has expired stays so, whatever becomes of its operation") {
  for (auto rest : RESTS) CHECK(restDuring(OperationKind::EXPIRE, rest) == Rest::EXPIRED);
  for (auto outcome : {Outcome::SUCCEEDED, Outcome::FAILED}) {
    CHECK(KJ_ASSERT_NONNULL(restAfter(OperationKind::EXPIRE, outcome)) == Rest::EXPIRED);
  }
}

TEST_CASE("P45 a stop ends a workspace that starts as well as one that runs") {
  CHECK(replyTo(Wish::STOP, WorkspaceState::STARTING) == Reply::SUPERSEDE);
  CHECK(replyTo(Wish::STOP, WorkspaceState::RUNNING) == Reply::BEGIN);
}

TEST_CASE("P28 after each operation the workspace rests, is gone, or is being deleted") {
  for (auto kind : KINDS) {
    for (auto outcome : {Outcome::SUCCEEDED, Outcome::FAILED}) {
      const bool isGone = kind == OperationKind::DELETE ||
                          (kind == OperationKind::CREATE && outcome == Outcome::FAILED);
      CHECK((restAfter(kind, outcome) == nullptr) == isGone);
    }
  }
  CHECK(KJ_ASSERT_NONNULL(restAfter(OperationKind::START, Outcome::SUCCEEDED)) == Rest::RUNNING);
  CHECK(KJ_ASSERT_NONNULL(restAfter(OperationKind::START, Outcome::FAILED)) == Rest::FAILED);
}

TEST_CASE("what is stored of an operation is read back, and an unknown kind is told") {
  for (auto kind : KINDS) CHECK(KJ_ASSERT_NONNULL(operationKind(nameOf(kind))) == kind);
  CHECK(operationKind("migrate") == nullptr);
}

TEST_CASE("S16 a workspace that is damaged has failed, unless it is being deleted") {
  WorkspaceRow row;
  row.rest = Rest::FAILED;
  row.damage = kj::str("cpus is -1");
  auto with = [&](kj::StringPtr kind) {
    OperationRow operation;
    operation.kind = kj::str(kind);
    return stateOf(row, kj::Maybe<OperationRow>(kj::mv(operation)));
  };
  CHECK(stateOf(row, kj::Maybe<OperationRow>()) == WorkspaceState::FAILED);
  CHECK(with("start") == WorkspaceState::FAILED);
  CHECK(with("migrate") == WorkspaceState::FAILED);
  CHECK(with("delete") == WorkspaceState::DELETING);
}

}  // namespace
}  // namespace bothy
