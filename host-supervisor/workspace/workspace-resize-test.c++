#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

constexpr uint64_t MIB = 1024 * 1024;

TEST_CASE("a stopped workspace's disk grows, and its next machine has it") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  auto outcome = workspace->resize(8192).wait(w.scope);
  CHECK(outcome.is<Workspace::Resized>());
  CHECK(workspace->state() == WorkspaceState::STOPPED);
  CHECK(workspace->row().diskMib == 8192);
  CHECK(w.volumes.bytes(workspace->row().id) == 8192 * MIB);
  CHECK(w.store->workspaces()[0].diskMib == 8192);
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  CHECK(replyTo(Wish::RESIZE, workspace->state()) == Reply::BUSY);
}

TEST_CASE("a disk never shrinks, and has a limit") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  auto smaller = workspace->resize(4095).wait(w.scope);
  CHECK(smaller.get<Workspace::InvalidSize>().why ==
        "diskMib is 4095: a disk never shrinks, and this one has 4096");
  auto larger = workspace->resize(MAX_DISK_MIB + 1).wait(w.scope);
  CHECK(larger.get<Workspace::InvalidSize>().why ==
        "diskMib is 16777217: it must be 4096 to 4194304");
  CHECK(workspace->resize(4096).wait(w.scope).is<Workspace::Resized>());
  CHECK(w.store->workspaces()[0].diskMib == 4096);
}

TEST_CASE("a disk that cannot grow is as it was") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.volumes.isFull = true;
  auto outcome = workspace->resize(8192).wait(w.scope);
  CHECK(outcome.get<Workspace::ResizeFailure>().noSpace);
  CHECK(workspace->state() == WorkspaceState::STOPPED);
  CHECK(workspace->row().diskMib == 4096);
  CHECK(w.store->state().operations.size() == 0);
  CHECK(w.store->events(0, 100).back().cause == Cause::RESIZE_FAILED);
  w.volumes.isFull = false;
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
}

TEST_CASE("a second resize to the same size joins the first, and one to another is busy") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.driver.failRemovals(1);
  auto first = workspace->resize(8192);
  w.settle();
  REQUIRE(workspace->state() == WorkspaceState::RESIZING);
  auto same = workspace->resize(8192);
  CHECK_FALSE(same.poll(w.scope));
  CHECK(workspace->resize(9000).wait(w.scope).get<Busy>().state == WorkspaceState::RESIZING);
  CHECK(workspace->resize(4096).wait(w.scope).is<Busy>());
  w.advance(1 * kj::SECONDS);
  CHECK(same.wait(w.scope).is<Workspace::Resized>());
  CHECK(first.wait(w.scope).is<Workspace::Resized>());
  CHECK(w.volumes.bytes(workspace->row().id) == 8192 * MIB);
}

TEST_CASE(
    "P29 a disk that was being made larger when bothyd was killed is made larger by the next") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto id = kj::str(w.find("demo")->row().id);
  // The volume is grown or not.
  w.leave("demo", OperationKind::RESIZE, "grow", "8192");
  SECTION("before") {}
  SECTION("after") {
    w.volumes.grow(id, 8192 * MIB).wait(w.scope);
  }
  w.restart();
  w.settle();
  auto workspace = w.find("demo");
  CHECK(workspace->state() == WorkspaceState::STOPPED);
  CHECK(workspace->row().diskMib == 8192);
  CHECK(w.volumes.bytes(id) == 8192 * MIB);
}

}  // namespace
}  // namespace bothy
