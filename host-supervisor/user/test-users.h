#pragma once

#include "user/user-workspaces.h"
#include "workspace/test-world.h"

namespace bothy {

// Users of a test's world.
struct TestUsers: public TestWorld {
  kj::Own<UserWorkspaces> users = kj::heap<UserWorkspaces>(*manager, randomness);
  using Answer = kj::Own<UserWorkspaces::Answer>;

  ~TestUsers() noexcept(false) { users = nullptr; }

  void restart() {
    users = nullptr;
    TestWorld::restart();
    users = kj::heap<UserWorkspaces>(*manager, randomness);
  }

  kj::Promise<Answer> ensure(kj::StringPtr user, kj::StringPtr name = nullptr,
                             kj::Maybe<kj::Own<Progress>> progress = nullptr) {
    return users->ensure({kj::str(user), kj::str(name), {}}, kj::mv(progress));
  }
  // Of one that runs when the call returns: its name here, and what was done.
  struct Told {
    kj::String name;
    UserWorkspaces::Done done;
    bool operator==(UserWorkspaces::Done other) const { return done == other; }
  };
  Told told(const Answer& answer) {
    auto& ensured = answer->outcome.get<UserWorkspaces::Ensured>();
    return {kj::str(ensured.workspace->row().name), ensured.done};
  }
  Told ensured(kj::StringPtr user, kj::StringPtr name = nullptr) {
    return told(ensure(user, name).wait(scope));
  }
  kj::Own<Workspace> of(kj::StringPtr user, kj::StringPtr name = nullptr) {
    return KJ_REQUIRE_NONNULL(manager->ofUser(user, name), "he has no such workspace", user, name);
  }
};

}  // namespace bothy
