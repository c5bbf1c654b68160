// What back ends have of users, over the wire.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"
#include "schema/user.capnp.h"

namespace bothy {
namespace {

struct Users: public Fixture {
  rpc::Users::Client facet = supervisor().usersRequest().send().getUsers().castAs<rpc::Users>();

  auto ensure(kj::StringPtr user, kj::StringPtr name = "", kj::StringPtr image = "") {
    auto request = facet.ensureRequest();
    request.setUser(user);
    request.setName(name);
    request.initSpec().setImage(image);
    return request.send();
  }
};

TEST_CASE("P57 a back end has the workspace of a user, the same for all who ask") {
  Users f;
  auto one = f.ensure("alice", "lab"), two = f.ensure("alice", "lab");
  auto a = one.wait(f.scope), b = two.wait(f.scope);
  auto made = a.getOutcome().getEnsured();
  CHECK(made.getDone() == rpc::Users::Done::CREATED);
  auto info = made.getWorkspace();
  CHECK((info.getUser() == "alice" && info.getNameOfUser() == "lab"));
  CHECK(info.getState() == rpc::WorkspaceState::RUNNING);
  CHECK(info.getLastActiveNanos() == nanosOf(f.clock.now()));
  CHECK(b.getOutcome().getEnsured().getWorkspace().getId() == info.getId());
  auto name = kj::str(info.getSpec().getName());
  // It is a workspace as any.
  CHECK(f.connect(name).wait(f.scope).getOutcome().isConnected());
  auto get = f.supervisor().getRequest();
  get.setName(name);
  CHECK(get.send().wait(f.scope).getOutcome().getFound().getUser() == "alice");

  auto pause = f.supervisor().pauseRequest();
  pause.setName(name);
  REQUIRE(pause.send().wait(f.scope).getOutcome().isPaused());
  CHECK(f.ensure("alice", "lab").wait(f.scope).getOutcome().getEnsured().getDone() ==
        rpc::Users::Done::RESUMED);
  // Each change says who asked for it.
  for (auto& event : f.store->events(0, 100)) CHECK(event.actor == "uid 0");
}

TEST_CASE("a back end is told why a user's workspace does not run") {
  Users f;
  CHECK(f.ensure("a b").wait(f.scope).getOutcome().getInvalid().startsWith("user is"));
  CHECK(f.ensure("alice", "", "other").wait(f.scope).getOutcome().getNoSuchImage() == "other");
  f.volumes.isFull = true;
  CHECK(f.ensure("alice").wait(f.scope).getOutcome().isNoSpace());
  CHECK(f.manager->size() == 0);
  f.volumes.isFull = false;
  f.driver.queueStarts(1);
  auto starting = f.ensure("alice");
  f.settle();
  auto it = KJ_ASSERT_NONNULL(f.manager->ofUser("alice", ""));
  SECTION("a stop came before") {
    it->stop(0).wait(f.scope);
    auto stopped = starting.wait(f.scope);
    REQUIRE(stopped.getOutcome().isStopped());
    CHECK(stopped.getOutcome().getStopped().getUser() == "alice");
  }
  SECTION("it was deleted") {
    it->erase().wait(f.scope);
    it = nullptr;
    auto failed = starting.wait(f.scope);
    CHECK(failed.getOutcome().isFailed());
  }
  SECTION("the host has not enough left") {
    it = nullptr;
    f.driver.releaseStarts();
    starting.wait(f.scope);
    f.limits.capacity.memoryMib = 600;
    f.restart();
    f.serve();
    f.facet = f.supervisor().usersRequest().send().getUsers().castAs<rpc::Users>();
    CHECK(f.ensure("bob").wait(f.scope).getOutcome().isNoCapacity());
  }
}

TEST_CASE("a back end lists workspaces of users by page, and deletes those of one") {
  Users f;
  for (auto user : {"bob", "alice"}) {
    for (auto name : {"", "lab"}) f.ensure(user, name).wait(f.scope);
  }
  kj::Vector<kj::String> found;
  kj::Maybe<capnp::Response<rpc::Users::ListResults>> last;
  for (;;) {
    auto request = f.facet.listRequest();
    request.setLimit(3);
    KJ_IF_MAYBE (before, last) request.setAfter(before->getNext());
    auto& page = last.emplace(request.send().wait(f.scope));
    for (auto info : page.getWorkspaces()) {
      found.add(kj::str(info.getUser(), ':', info.getNameOfUser()));
    }
    if (!page.hasNext()) break;
  }
  CHECK(kj::strArray(found, " ") == "alice: alice:lab bob: bob:lab");

  auto request = f.facet.removeRequest();
  request.setUser("alice");
  auto removed = request.send().wait(f.scope);
  CHECK(removed.getOutcome().getDeleted().size() == 2);
  CHECK(!removed.getOutcome().hasUnderway());
  CHECK(f.manager->size() == 2);
}

}  // namespace
}  // namespace bothy
