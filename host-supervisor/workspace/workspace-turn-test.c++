// Workspaces that wait while others start first.

#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

// The stages of a start, as its caller hears of them.
class Stages final: public Progress {
public:
  explicit Stages(kj::Vector<kj::String>& heard) : heard(heard) {}
  void stage(Stage stage, kj::Duration, size_t before) override {
    heard.add(stage == Stage::WAITING ? kj::str("waiting, ", before, " before")
                                      : kj::str(static_cast<int>(stage)));
  }
  void setUp(const SetupStage&, kj::Duration) override {}

private:
  kj::Vector<kj::String>& heard;
};

struct WaitingWorkspace {
  TestWorld w;
  kj::Vector<kj::String> heard;
  kj::Own<Workspace> workspace;

  WaitingWorkspace() {
    w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
    workspace = w.find("demo");
    w.driver.queueStarts(12);
  }
  kj::Promise<Workspace::StartOutcome> start() {
    auto starting = workspace->start(kj::Own<Progress>(kj::heap<Stages>(heard)));
    w.settle();
    return starting;
  }
};

TEST_CASE(
    "P28 a workspace that waits for its turn says so, and then starts, however long that was") {
  WaitingWorkspace s;
  auto starting = s.start();
  s.w.timer.advanceTo(s.w.timer.now() + Deadlines().turn - 1 * kj::SECONDS);
  s.w.settle();
  CHECK_FALSE(starting.poll(s.w.scope));
  s.w.driver.releaseStarts();
  starting.wait(s.w.scope);
  CHECK(s.workspace->state() == WorkspaceState::RUNNING);
  CHECK(kj::strArray(s.heard, "; ") == "1; waiting, 12 before; 1; 2; 3");
}

TEST_CASE("P28 a workspace whose turn does not come has failed, and says where") {
  WaitingWorkspace s;
  auto starting = s.start();
  s.w.timer.advanceTo(s.w.timer.now() + Deadlines().turn);
  auto outcome = starting.wait(s.w.scope);
  auto& failure = KJ_ASSERT_NONNULL(outcome.get<kj::Own<StartReport>>()->failure);
  CHECK(failure.stage == Stage::WAITING);
  CHECK(failure.fault == StartFault::OTHER);
  CHECK(failure.message == "others started first, and the machine had no turn within 1800 s");
}

TEST_CASE("P45 a workspace that waits for its turn is stopped at once") {
  WaitingWorkspace s;
  auto starting = s.start();
  s.workspace->stop(0).wait(s.w.scope);
  CHECK(starting.wait(s.w.scope).is<Superseded>());
  s.w.driver.releaseStarts();
  s.w.settle();
  CHECK(s.w.driver.running().size() == 0);
}

}  // namespace
}  // namespace bothy
