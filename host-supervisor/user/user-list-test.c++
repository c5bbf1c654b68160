#include <kj/debug.h>

#include "user/test-users.h"

namespace bothy {
namespace {

struct Lists: public TestUsers {
  Lists() {
    manager->create(request("nobodys", false), nullptr).wait(scope);
    for (auto user : {"bob"_kj, "al"_kj, "alice"_kj}) {
      for (auto name : {"b"_kj, ""_kj, "a"_kj}) make(user, name);
    }
  }
  // Without a machine.
  void make(kj::StringPtr user, kj::StringPtr name) {
    auto wanted =
        request(newWorkspaceName(KJ_ASSERT_NONNULL(UserId::parse(user)), name, randomness), false);
    wanted.user = kj::str(user);
    wanted.userName = kj::str(name);
    REQUIRE(manager->create(kj::mv(wanted), nullptr).wait(scope).is<WorkspaceManager::Created>());
  }
  // All of them, page after page.
  kj::String all(kj::StringPtr user, size_t limit) {
    UserQuery query;
    query.user = user;
    query.limit = limit;
    kj::Vector<kj::String> found;
    for (;;) {
      auto page = users->list(query);
      CHECK(page.workspaces.size() <= limit);
      for (auto& view : page.workspaces) found.add(kj::str(view.user, ':', view.userName));
      if (page.next == nullptr) return kj::strArray(found, " ");
      query.after = page.next;
    }
  }
};

TEST_CASE("workspaces of users are listed by user and name, page after page") {
  Lists w;
  for (size_t limit : {1, 2, 3, 4, 100}) {
    CHECK(w.all("", limit) == "al: al:a al:b alice: alice:a alice:b bob: bob:a bob:b");
    CHECK(w.all("alice", limit) == "alice: alice:a alice:b");
    CHECK(w.all("al", limit) == "al: al:a al:b");
    CHECK(w.all("ali", limit) == "");
  }
}

TEST_CASE("a page goes on behind a workspace that is gone") {
  Lists w;
  w.of("alice", "a")->erase().wait(w.scope);
  UserQuery query;
  query.after = UserQuery::Place{"alice", "a"};
  query.limit = 1;
  auto page = w.users->list(query);
  REQUIRE(page.workspaces.size() == 1);
  CHECK((page.workspaces[0].user == "alice" && page.workspaces[0].userName == "b"));
}

TEST_CASE("the list has what is known of a user's workspace, also after a restart") {
  TestUsers w;
  w.ensured("alice", "lab");
  const auto started = nanosOf(w.clock.now());
  w.clock.time += 1 * kj::HOURS;
  auto only = [&]() {
    auto page = w.users->list({});
    REQUIRE(page.workspaces.size() == 1);
    auto& view = page.workspaces[0];
    CHECK((view.user == "alice" && view.userName == "lab" && view.image == "base"));
    return view;
  };
  CHECK((only().state == WorkspaceState::RUNNING && only().lastActiveNanos == started));
  SECTION("it was stopped") {
    w.of("alice", "lab")->stop(0).wait(w.scope);
  }
  SECTION("it was paused, and its machine ends later") {
    w.of("alice", "lab")->pause().wait(w.scope);
    w.clock.time += 1 * kj::HOURS;
    w.driver.end(w.of("alice", "lab")->row().id, VmEnd::EXITED);
    w.settle();
  }
  const auto ended = started + 1 * kj::HOURS / kj::NANOSECONDS;
  CHECK(only().lastActiveNanos == ended);
  w.restart();
  CHECK(only().lastActiveNanos == ended);
}

TEST_CASE("a user's workspaces go together, and nobody else's") {
  Lists w;
  SECTION("all") {
    auto removal = w.users->remove("alice").wait(w.scope);
    CHECK((removal.deleted.size() == 3 && removal.underway == nullptr));
  }
  SECTION("one that goes on") {
    w.volumes.failuresToDestroy = 1000;
    auto removing = w.users->remove("alice");
    for (int i = 0; i < 100; i++) {
      w.settle();
      w.advance(1 * kj::SECONDS);
    }
    auto removal = removing.wait(w.scope);
    CHECK(removal.deleted.size() == 0);
    CHECK(KJ_ASSERT_NONNULL(removal.underway).underway.state == WorkspaceState::DELETING);
    w.volumes.failuresToDestroy = 0;
    // Who asks again joins it.
    auto joining = w.users->remove("alice");
    for (int i = 0; i < 100; i++) {
      w.settle();
      w.advance(1 * kj::SECONDS);
    }
    CHECK(joining.wait(w.scope).deleted.size() == 3);
  }
  CHECK(w.all("", 10) == "al: al:a al:b bob: bob:a bob:b");
  CHECK(w.manager->size() == 7);
  CHECK(w.users->remove("").wait(w.scope).deleted.size() == 0);
  CHECK(w.manager->size() == 7);
}

}  // namespace
}  // namespace bothy
