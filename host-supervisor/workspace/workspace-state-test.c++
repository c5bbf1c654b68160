#include "workspace/workspace-state.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr WorkspaceState ALL[] = {WorkspaceState::CREATING, WorkspaceState::STOPPED,
                                  WorkspaceState::STARTING, WorkspaceState::RUNNING,
                                  WorkspaceState::STOPPING, WorkspaceState::DELETING,
                                  WorkspaceState::FAILED};

TEST_CASE("P28 delete is accepted in every state") {
  for (auto state : ALL) {
    INFO(toString(state).cStr());
    auto reply = replyTo(Wish::DELETE, state);
    CHECK((reply == Reply::BEGIN || reply == Reply::JOIN));
    CHECK(stateAfter(state, Happening::DELETE_BEGAN) != nullptr);
  }
}

TEST_CASE("P28 what is accepted can begin, and no state is without a way out") {
  for (auto state : ALL) {
    INFO(toString(state).cStr());
    if (replyTo(Wish::START, state) == Reply::BEGIN) {
      CHECK(KJ_ASSERT_NONNULL(stateAfter(state, Happening::START_BEGAN)) ==
            WorkspaceState::STARTING);
    }
    if (replyTo(Wish::STOP, state) == Reply::BEGIN) {
      CHECK(KJ_ASSERT_NONNULL(stateAfter(state, Happening::STOP_BEGAN)) ==
            WorkspaceState::STOPPING);
    }
  }
}

TEST_CASE("a second start and a second stop join the first") {
  CHECK(replyTo(Wish::START, WorkspaceState::STARTING) == Reply::JOIN);
  CHECK(replyTo(Wish::STOP, WorkspaceState::STOPPING) == Reply::JOIN);
  CHECK(replyTo(Wish::DELETE, WorkspaceState::DELETING) == Reply::JOIN);
}

TEST_CASE("P45 a stop ends a workspace that starts as well as one that runs") {
  for (auto state : {WorkspaceState::STARTING, WorkspaceState::RUNNING}) {
    CHECK(replyTo(Wish::STOP, state) == Reply::BEGIN);
  }
}

TEST_CASE("P28 a restart leaves no state in which something seems to be under way") {
  for (auto state : ALL) {
    for (bool runs : {false, true}) {
      for (bool rebooting : {false, true}) {
        auto recovery = recoveryOf(state, runs, rebooting);
        INFO(toString(state).cStr());
        bool settled = state == WorkspaceState::STOPPED || state == WorkspaceState::FAILED;
        CHECK((recovery == Recovery::KEEP) == settled);
      }
    }
  }
}

}  // namespace
}  // namespace bothy
