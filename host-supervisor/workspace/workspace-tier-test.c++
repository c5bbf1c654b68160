#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

WorkspaceManager::CreateRequest ofTier(TestWorld& w, kj::StringPtr tier) {
  auto request = w.request("demo", false);
  request.spec.tier = kj::str(tier);
  return request;
}

TEST_CASE("P53 a workspace that is made with a tier has its figures, also after a restart") {
  TestWorld w;
  CHECK(w.manager->create(ofTier(w, "pro"), nullptr).wait(w.scope).is<WorkspaceManager::Created>());
  auto check = [&]() {
    auto view = KJ_ASSERT_NONNULL(w.manager->view("demo"));
    CHECK(view.tier == "pro");
    CHECK((view.cpus == 2 && view.memoryMib == 2048 && view.diskMib == 10240));
  };
  check();
  // The settings of the tier change, and the workspace stays what it is.
  REQUIRE(w.limits.tiers.set("pro", "cpus=4 memory=4096") == nullptr);
  w.restart();
  check();
  w.find("demo")->start(nullptr).wait(w.scope);
  check();
  CHECK(w.driver.spec(w.find("demo")->row().id).memoryBytes == 2048ull << 20);
}

TEST_CASE("a tier that there is not, or figures beside one, are refused, and nothing is made") {
  TestWorld w;
  auto request = ofTier(w, "gold");
  SECTION("no such tier") {}
  SECTION("figures beside") {
    request = ofTier(w, "pro");
    request.spec.cpus = 2;
  }
  auto outcome = w.manager->create(kj::mv(request), nullptr).wait(w.scope);
  CHECK(outcome.is<WorkspaceManager::Invalid>());
  CHECK(w.manager->size() == 0);
}

TEST_CASE("P57 a request that is repeated with another tier is another request") {
  TestWorld w;
  auto request = [&](kj::StringPtr tier) {
    auto result = ofTier(w, tier);
    result.requestId = kj::str("r");
    return result;
  };
  CHECK(w.manager->create(request("pro"), nullptr).wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.manager->create(request("pro"), nullptr).wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.manager->create(request("free"), nullptr)
            .wait(w.scope)
            .is<WorkspaceManager::RequestConflict>());
}

}  // namespace
}  // namespace bothy
