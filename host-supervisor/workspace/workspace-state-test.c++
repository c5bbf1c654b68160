#include "workspace/workspace-state.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr Rest RESTS[] = {Rest::STOPPED, Rest::RUNNING, Rest::FAILED};
constexpr OperationKind KINDS[] = {OperationKind::CREATE, OperationKind::START, OperationKind::STOP,
                                   OperationKind::RESIZE, OperationKind::DELETE};

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
  for (auto wish : {Wish::START, Wish::STOP, Wish::DELETE, Wish::RESIZE}) {
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
  CHECK(operationKind("hibernate") == nullptr);
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
  CHECK(with("hibernate") == WorkspaceState::FAILED);
  CHECK(with("delete") == WorkspaceState::DELETING);
}

}  // namespace
}  // namespace bothy
