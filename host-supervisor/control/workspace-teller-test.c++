#include "control/workspace-teller.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

SessionRights rightsTo(rpc::Verb verb) {
  SessionRights rights;
  rights.verbs.add(verb);
  return rights;
}

TEST_CASE(
    "S34 whoever has a session is told of its workspace, and nothing that is the platform's") {
  WorkspaceView view;
  view.name = "alice-000000000001";
  view.cpus = 2;
  view.user = "alice@example.com";
  view.userName = "lab";
  view.labels = "plan=free";
  view.host = "host-1";
  view.setupSteps = 2;
  view.setupFailure = "step 2 (Fetch): it exited with 1: https://token@example.com";
  for (auto verb : {rpc::Verb::MACHINE, rpc::Verb::PROGRAMS}) {
    auto shown = WorkspaceTeller::forSession(view, rightsTo(verb));
    CHECK(shown.name == "alice-000000000001");
    CHECK(shown.cpus == 2);
    CHECK(shown.setupSteps == 2);
    for (auto hidden : {shown.user, shown.userName, shown.labels, shown.host}) CHECK(hidden == "");
    // Whoever runs programs there may read the step's log.
    CHECK(shown.setupFailure ==
          (verb == rpc::Verb::PROGRAMS ? view.setupFailure : "a step has failed"_kj));
  }
  view.setupFailure = nullptr;
  CHECK(WorkspaceTeller::forSession(view, rightsTo(rpc::Verb::MACHINE)).setupFailure == "");
}

}  // namespace
}  // namespace bothy
