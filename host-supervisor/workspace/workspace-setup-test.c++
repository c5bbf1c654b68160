#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "schema/workspace.capnp.h"
#include "support/log-record.h"
#include "workspace/test-world.h"

namespace bothy {
namespace {

using Step = WorkspaceManager::SetupStepView;
using Wish = WorkspaceManager::SetupWish;

struct Heard final: public Progress {
  explicit Heard(kj::Vector<kj::String>& lines) : lines(lines) {}
  void stage(Stage stage, kj::Duration, size_t) override {
    if (stage == Stage::AGENT_READY) lines.add(kj::str("ready"));
  }
  void setUp(const SetupStage& setup, kj::Duration) override {
    lines.add(kj::str(setup.step, '/', setup.steps, ' ', setup.name, ": ", setup.line));
  }
  kj::Vector<kj::String>& lines;
};

struct World: public TestWorld {
  kj::Vector<kj::String> heard;

  WorkspaceManager::CreateRequest configured(kj::StringPtr name, uint32_t steps = 2) {
    capnp::MallocMessageBuilder message;
    auto spec = message.initRoot<rpc::WorkspaceSpec>();
    auto configuration = spec.initConfiguration();
    auto variable = configuration.initEnvironment(1)[0];
    variable.setName("A");
    variable.setValue("topsecret");
    auto list = configuration.initSetup().initSteps(steps);
    for (auto i : kj::indices(list)) {
      list[i].setName(kj::str("Step ", i));
      auto argv = list[i].initCommand().initArgv(2);
      argv.set(0, "true");
      argv.set(1, "hush");
    }
    auto result = request(name);
    auto given = GivenConfiguration::of(spec.getLabels().asReader(), configuration.asReader());
    result.spec.configuration = kj::mv(given.get<GivenConfiguration>());
    return result;
  }
  kj::Promise<WorkspaceManager::CreateOutcome> create(uint32_t steps = 2) {
    auto promise =
        manager->create(configured("demo", steps), kj::Own<Progress>(kj::heap<Heard>(heard)));
    promise.poll(scope);
    settle();
    return promise;
  }
  // Time for the next question.
  void step() {
    settle();
    advance(SETUP_QUESTION_PAUSE);
    settle();
  }
  kj::Array<Step> steps() {
    auto outcome = manager->setup("demo", Wish::LOOK).wait(scope);
    return kj::mv(outcome.get<kj::Array<Step>>());
  }
  WorkspaceRow row() { return store->state().workspaces[0].clone(); }
  size_t events(Cause cause) {
    size_t count = 0;
    for (auto& event : store->events(0, 1000)) count += event.cause == cause;
    return count;
  }
};

TEST_CASE(
    "a creation hands its configuration over, tells each step, and returns when all are done") {
  World w;
  auto created = w.create();
  REQUIRE(w.setup.configured.size() == 1);
  CHECK(w.setup.configured[0] == "2 steps A=topsecret");
  CHECK_FALSE(created.poll(w.scope));
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  w.setup.runs(0, "one \x1b[31m");
  w.step();
  CHECK(w.steps()[0].state == Step::State::RUNNING);
  CHECK(w.steps()[0].detail == "one \\x1b[31m");
  w.setup.runs(1, "two");
  w.step();
  CHECK(w.steps()[0].state == Step::State::DONE);
  CHECK(w.row().setupDone == 1);
  CHECK_FALSE(created.poll(w.scope));
  w.setup.completes(2);
  w.step();
  REQUIRE(created.poll(w.scope));
  CHECK(created.wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.row().setupDone == 2);
  CHECK(w.events(Cause::SET_UP) == 1);
  REQUIRE(w.heard.size() == 3);
  CHECK(w.heard[0] == "ready");
  CHECK(w.heard[1] == "0/2 Step 0: one \\x1b[31m");
  CHECK(w.heard[2] == "1/2 Step 1: two");
}

TEST_CASE("steps that are quick are told too, and those of an earlier boot are not") {
  World w;
  auto created = w.create(4);
  w.setup.runs(2, "three");
  w.step();
  w.setup.completes(4);
  w.step();
  REQUIRE(w.heard.size() == 5);
  CHECK(w.heard[1] == "0/4 Step 0: ");
  CHECK(w.heard[2] == "1/4 Step 1: ");
  CHECK(w.heard[3] == "2/4 Step 2: three");
  CHECK(w.heard[4] == "3/4 Step 3: ");
  created.wait(w.scope);
  w.find("demo")->stop(1000).wait(w.scope);
  auto started = w.find("demo")->start(kj::Own<Progress>(kj::heap<Heard>(w.heard)));
  w.settle();
  CHECK(started.poll(w.scope));
  REQUIRE(w.heard.size() == 6);
  CHECK(w.heard[5] == "ready");
}

TEST_CASE("a step that fails leaves the workspace running, and says which and why") {
  World w;
  auto created = w.create();
  w.setup.exits(1, 7);
  w.step();
  auto outcome = created.wait(w.scope);
  auto& workspace = outcome.get<WorkspaceManager::Created>().workspace;
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  CHECK(workspace->view().setupFailure == "step 2 (Step 1): it exited with 7");
  CHECK(w.row().setupFailure == "step 2 (Step 1): it exited with 7");
  CHECK(w.events(Cause::SETUP_FAILED) == 1);
  auto steps = w.steps();
  CHECK(steps[0].state == Step::State::DONE);
  CHECK(steps[1].state == Step::State::FAILED);
  CHECK(steps[1].detail == "it exited with 7");

  // Nothing is asked any more, until it is to be tried again.
  const auto asked = w.setup.questions;
  w.setup.runs(1, "again");
  w.step();
  CHECK(w.setup.questions == asked);
  CHECK(w.manager->setup("demo", Wish::RETRY, "uid 7").wait(w.scope).is<kj::Array<Step>>());
  CHECK(w.setup.retries == 1);
  w.settle();
  auto retry = kj::mv(w.store->events(0, 100).back());
  CHECK((retry.cause == Cause::REQUEST && retry.isNotice() && retry.actor == "uid 7"));
  CHECK(retry.detail == "the step of its set-up that has failed begins again");
  w.step();
  CHECK(w.row().setupFailure == "");
  CHECK(w.steps()[1].detail == "again");
  w.setup.completes(2);
  w.step();
  w.step();
  CHECK(w.row().setupDone == 2);
  CHECK(w.manager->setup("demo", Wish::RETRY).wait(w.scope).is<SetupFollower::NothingFailed>());
}

TEST_CASE("P28 a bothyd that is started anew goes on to follow, and hands nothing over again") {
  World w;
  auto created = w.create();
  w.setup.runs(1, "two");
  w.step();
  created = nullptr;
  w.restart();
  w.settle();
  CHECK(w.setup.configured.size() == 1);
  CHECK(w.steps()[1].detail == "two");
  w.setup.completes(2);
  w.step();
  CHECK(w.row().setupDone == 2);
  CHECK(w.events(Cause::SET_UP) == 1);
}

TEST_CASE("a stop ends what is being set up in order, and the next start hands it over again") {
  World w;
  auto created = w.create();
  w.setup.runs(1, "two");
  w.step();
  CHECK(w.find("demo")->stop(1000).wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
  CHECK(w.powerOffGrace == 1000);
  CHECK(created.wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.row().setupDone == 1);
  auto started = w.find("demo")->start(nullptr);
  started.poll(w.scope);
  w.settle();
  CHECK(w.setup.configured.size() == 2);
  CHECK_FALSE(started.poll(w.scope));
  w.setup.completes(2);
  w.step();
  CHECK(started.poll(w.scope));
}

TEST_CASE("P28 a workspace that is made anew after it has expired is set up anew") {
  World w;
  auto created = w.create();
  w.setup.exits(1, 7);
  w.step();
  created.wait(w.scope);
  w.find("demo")->stop(1000).wait(w.scope);
  w.find("demo")->expire().wait(w.scope);
  CHECK((w.row().isConfigured && w.row().setupSteps == 2));
  CHECK((w.row().setupDone == 0 && w.row().setupFailure == ""));
  w.setup.runs(0, "anew");
  auto started = w.find("demo")->start(nullptr);
  started.poll(w.scope);
  w.settle();
  REQUIRE(w.setup.configured.size() == 2);
  CHECK(w.setup.configured[1] == "2 steps A=topsecret");
  w.setup.completes(2);
  w.step();
  CHECK(started.poll(w.scope));
  CHECK(w.row().setupDone == 2);
}

TEST_CASE("P28 a machine that dies within the set-up keeps nobody waiting") {
  World w;
  auto created = w.create();
  w.setup.runs(1, "two");
  w.step();
  w.driver.end(w.row().id, VmEnd::EXITED);
  w.settle();
  REQUIRE(created.poll(w.scope));
  auto outcome = created.wait(w.scope);
  // What has become of it is its state.
  CHECK(outcome.get<WorkspaceManager::Created>().workspace->state() == WorkspaceState::FAILED);
}

TEST_CASE("P28 whoever waits for a set-up waits over a reboot of the guest") {
  World w;
  auto created = w.create();
  w.setup.runs(1, "two");
  w.step();
  w.driver.end(w.row().id, VmEnd::REBOOTED);
  w.step();
  CHECK_FALSE(created.poll(w.scope));
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  w.setup.completes(2);
  w.step();
  REQUIRE(created.poll(w.scope));
  CHECK(w.row().setupDone == 2);
}

TEST_CASE("a boot of which nothing is told yet takes nothing back that is known to be done") {
  World w;
  auto created = w.create();
  w.setup.completes(2);
  w.step();
  created.wait(w.scope);
  w.find("demo")->stop(1000).wait(w.scope);
  // As an agent that has not read its journal has it.
  w.setup.now(0, [](auto status) { status.setNothing(); });
  auto started = w.find("demo")->start(nullptr);
  started.poll(w.scope);
  w.step();
  CHECK(w.row().setupDone == 2);
  w.setup.completes(2);
  w.step();
  CHECK(started.poll(w.scope));
  CHECK(w.events(Cause::SET_UP) == 1);
}

TEST_CASE(
    "an agent that is too old for a configuration is told of in words, and the workspace runs") {
  World w;
  w.generation = rpc::CONFIGURED_AGENTS - 1;
  // Also where there are variables alone.
  auto created = w.create(GENERATE(0, 2));
  w.step();
  CHECK(created.wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.setup.configured.size() == 0);
  CHECK(strstr(w.row().setupFailure.cStr(), "generation 4") != nullptr);
  auto retried = w.manager->setup("demo", Wish::RETRY).wait(w.scope);
  CHECK(retried.get<SetupFollower::AgentTooOld>().generation == 4);
}

TEST_CASE(
    "a hostile agent's endless news is asked for some times a second, and its figures are "
    "bounded") {
  World w;
  auto created = w.create();
  for (int i = 0; i < 50; i++) {
    w.setup.runs(1'000'000, "x");
    w.settle();
  }
  CHECK(w.setup.questions <= 3);
  CHECK(w.row().setupDone <= 2);
}

TEST_CASE(
    "a set-up that never ends keeps a caller no longer than its steps may take, nor an hour") {
  World w;
  const auto steps = GENERATE(2u, 64u);
  const auto all = static_cast<int64_t>(steps * rpc::SETUP_STEP_MILLIS) * kj::MILLISECONDS;
  auto created = w.create(steps);
  w.setup.runs(0, "hangs");
  w.step();
  w.advance(kj::min(all, LONGEST_SETUP_WAIT - 1 * kj::MINUTES));
  w.settle();
  CHECK_FALSE(created.poll(w.scope));
  w.advance(w.world().deadlines.call + 1 * kj::SECONDS);
  w.settle();
  REQUIRE(created.poll(w.scope));
  auto outcome = created.wait(w.scope);
  auto& workspace = outcome.get<WorkspaceManager::Created>().workspace;
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  CHECK(workspace->setup().isUnfinished());
}

TEST_CASE("P28 of a configuration names of steps are told, and nothing else") {
  LogRecord log;
  World w;
  auto created = w.create();
  w.setup.exits(0, 1);
  w.step();
  auto isTold = [](kj::StringPtr text) {
    return strstr(text.cStr(), "topsecret") != nullptr || strstr(text.cStr(), "hush") != nullptr;
  };
  bool wasNamed = false;
  for (auto& event : w.store->events(0, 1000)) {
    CHECK_FALSE(isTold(kj::str(event.detail, event.actor)));
    wasNamed = wasNamed || strstr(event.detail.cStr(), "Step 0") != nullptr;
  }
  CHECK(wasNamed);
  for (auto& line : log.lines) CHECK_FALSE(isTold(line));
  for (auto& line : w.heard) CHECK_FALSE(isTold(line));
  for (auto& step : w.steps()) CHECK_FALSE(isTold(kj::str(step.name, step.detail)));
  const auto row = w.row();
  CHECK_FALSE(isTold(row.setupFailure));
  CHECK_FALSE(isTold(kj::str(row.failure, row.damage)));
  auto view = w.find("demo")->view();
  CHECK_FALSE(isTold(view.failure));
  // It goes with the workspace.
  auto id = kj::str(w.row().id);
  CHECK(w.store->backend->configuration(id) != nullptr);
  w.find("demo")->erase().wait(w.scope);
  CHECK(w.store->backend->configuration(id) == nullptr);
}

}  // namespace
}  // namespace bothy
