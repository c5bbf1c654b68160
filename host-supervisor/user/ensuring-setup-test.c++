#include <capnp/message.h>
#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "schema/setup.capnp.h"
#include "user/test-users.h"
#include "workspace/setup-follower.h"

namespace bothy {
namespace {

using Done = UserWorkspaces::Done;
using S = WorkspaceState;

// A user whose workspace is set up by two steps.
struct World: public TestUsers {
  kj::Promise<Answer> ensure() {
    capnp::MallocMessageBuilder message;
    auto configuration = message.initRoot<rpc::Configuration>();
    for (auto step : configuration.initSetup().initSteps(2)) {
      step.setName("Step");
      step.initCommand().initArgv(1).set(0, "true");
    }
    auto given = GivenConfiguration::of({}, configuration.asReader());
    UserWorkspaces::Wanted wanted{kj::str("alice"), nullptr, {}};
    wanted.spec.configuration = kj::mv(given.get<GivenConfiguration>());
    auto promise = users->ensure(kj::mv(wanted), nullptr);
    promise.poll(scope);
    settle();
    return promise;
  }
  kj::Own<Workspace> it() { return of("alice"); }
  // Time for the next question.
  void step() {
    settle();
    advance(SETUP_QUESTION_PAUSE);
    settle();
  }
};

TEST_CASE("whoever asks for a workspace that is being set up waits for that, the first or not") {
  World w;
  auto first = w.ensure();
  w.setup.runs(0, "one");
  w.step();
  REQUIRE(w.it()->state() == S::RUNNING);
  CHECK_FALSE(first.poll(w.scope));
  first = nullptr;
  CHECK(w.users->isIdle());
  auto expected = Done::CONNECTED;
  SECTION("it runs") {}
  SECTION("it was paused, and goes on") {
    REQUIRE(w.it()->pause().wait(w.scope).is<Workspace::Paused>());
    expected = Done::RESUMED;
  }
  SECTION("it was stopped, and boots") {
    w.it()->stop(0).wait(w.scope);
    expected = Done::STARTED;
  }
  auto next = w.ensure();
  w.step();
  CHECK(w.it()->state() == S::RUNNING);
  CHECK_FALSE(next.poll(w.scope));
  w.setup.completes(2);
  w.step();
  REQUIRE(next.poll(w.scope));
  CHECK(w.told(next.wait(w.scope)).done == expected);
  CHECK(w.it()->row().setupDone == 2);
  // All is done.
  auto last = w.ensure();
  REQUIRE(last.poll(w.scope));
  CHECK(w.told(last.wait(w.scope)).done == Done::CONNECTED);
}

TEST_CASE("P28 nobody is told that a workspace runs which has ended within its set-up") {
  World w;
  kj::Maybe<kj::Promise<World::Answer>> second;
  auto first = w.ensure();
  w.setup.runs(0, "one");
  w.step();
  auto id = kj::str(w.it()->row().id);
  SECTION("somebody has stopped it") {
    w.it()->stop(0).wait(w.scope);
    w.settle();
    auto answer = first.wait(w.scope);
    CHECK(answer->outcome.get<WorkspaceManager::Stopped>().workspace->state() == S::STOPPED);
    CHECK(w.it()->state() == S::STOPPED);
  }
  SECTION("it has powered itself off") {
    w.driver.end(id, VmEnd::POWERED_OFF);
    w.settle();
    CHECK(first.wait(w.scope)->outcome.is<WorkspaceManager::Stopped>());
  }
  SECTION("it is deleted") {
    w.it()->erase().wait(w.scope);
    CHECK(first.wait(w.scope)->outcome.get<Busy>().state == S::DELETING);
    CHECK(w.manager->size() == 0);
  }
  SECTION("it has died, and is started again") {
    w.driver.end(id, VmEnd::CRASHED);
    w.step();
    CHECK(w.it()->state() == S::RUNNING);
    CHECK_FALSE(first.poll(w.scope));
    w.setup.completes(2);
    w.step();
    CHECK(w.told(first.wait(w.scope)).done == Done::CREATED);
    CHECK(w.it()->state() == S::RUNNING);
  }
  SECTION("it was paused, and is resumed") {
    REQUIRE(w.it()->pause().wait(w.scope).is<Workspace::Paused>());
    w.step();
    CHECK(w.it()->state() == S::RUNNING);
    CHECK_FALSE(first.poll(w.scope));
    w.setup.completes(2);
    w.step();
    CHECK(w.told(first.wait(w.scope)).done == Done::CREATED);
  }
}

TEST_CASE("nobody waits for a set-up longer than the steps that are left may take") {
  World w;
  auto first = w.ensure();
  w.setup.runs(1, "two");
  w.step();
  CHECK(w.it()->row().setupDone == 1);
  first = nullptr;
  auto next = w.ensure();
  const auto rest = static_cast<int64_t>(rpc::SETUP_STEP_MILLIS) * kj::MILLISECONDS;
  w.advance(rest);
  w.settle();
  CHECK_FALSE(next.poll(w.scope));
  w.advance(5 * kj::MINUTES);
  w.settle();
  REQUIRE(next.poll(w.scope));
  CHECK(w.told(next.wait(w.scope)).done == Done::CONNECTED);
  CHECK(w.it()->row().setupDone == 1);
}

}  // namespace
}  // namespace bothy
