#include <string.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

TEST_CASE(
    "P28 a half-made workspace that cannot be removed does not keep the others from serving") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.manager->create(w.request("half", false), nullptr).wait(w.scope);
  auto row = w.find("half")->row().clone();
  row.state = WorkspaceState::CREATING;
  w.store->update(row, nullptr);
  w.volumes.failuresToDestroy = 1;
  w.restart();
  CHECK(w.find("demo")->row().state == WorkspaceState::RUNNING);
  w.settle();
  w.advance(1 * kj::SECONDS);
  w.settle();
  CHECK(w.manager->find("half") == nullptr);
  CHECK(w.volumes.count() == 1);
  CHECK(w.keys.count() == 1);
}

TEST_CASE("P29 a machine that cannot be taken over is ended, and its workspace has failed") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.manager->create(w.request("other"), nullptr).wait(w.scope);
  w.manager->create(w.request("rest", false), nullptr).wait(w.scope);
  w.find("other")->stop(0).wait(w.scope);
  w.driver.failAdoptions(KJ_EXCEPTION(FAILED, "it does not talk"));
  w.restart();
  auto workspace = w.find("demo");
  CHECK(workspace->row().state == WorkspaceState::FAILED);
  CHECK(workspace->row().failure == "it does not talk");
  w.settle();
  CHECK(w.driver.running().size() == 0);
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->row().state == WorkspaceState::RUNNING);
}

TEST_CASE("P28 a database that is new destroys no disk: bothyd says what to do") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.manager = nullptr;
  w.events = nullptr;
  w.store = nullptr;
  REQUIRE(unlink(kj::str(w.directory, "/state.db").cStr()) == 0);
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { w.restart(); })) {
    CHECK(strstr(e->getDescription().cStr(), "the database is new") != nullptr);
  } else {
    FAIL("it began anew over the disks of others");
  }
  CHECK(w.volumes.count() == 1);
  CHECK(w.keys.count() == 1);
  CHECK(w.driver.running().size() == 1);
}

TEST_CASE("P28 a database that is older destroys no disk that it does not know") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  w.keys.create("0123").wait(w.scope);
  w.volumes.create("0123", 1 << 20, 1, w.keys.open("0123").wait(w.scope)).wait(w.scope);
  w.restart();
  w.settle();
  CHECK(w.volumes.count() == 2);
  CHECK(w.keys.count() == 2);
}

TEST_CASE("E02 a delete destroys the key before anything else") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.volumes.failuresToDestroy = 1;
  auto erasing = w.find("demo")->erase();
  CHECK_FALSE(erasing.poll(w.scope));
  CHECK(w.volumes.count() == 1);
  CHECK(w.keys.count() == 0);
}

TEST_CASE("E01 every workspace has a key of its own, and its disk opens with no other") {
  TestWorld w;
  w.manager->create(w.request("one", false), nullptr).wait(w.scope);
  w.manager->create(w.request("two", false), nullptr).wait(w.scope);
  auto one = kj::str(w.find("one")->row().id), two = kj::str(w.find("two")->row().id);
  auto key = w.keys.open(one).wait(w.scope);
  CHECK(w.volumes.opensWith(one, key));
  CHECK_FALSE(w.volumes.opensWith(two, key));
  w.find("one")->start(nullptr).wait(w.scope);
  CHECK(KJ_ASSERT_NONNULL(w.driver.spec(one).diskKey).bytes() == key.bytes());
}

}  // namespace
}  // namespace bothy
