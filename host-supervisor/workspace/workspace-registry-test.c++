#include "workspace/workspace-registry.h"

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

struct World: public TestWorld {
  void make(kj::StringPtr name, bool start = false) {
    manager->create(request(name, start), nullptr).wait(scope);
    settle();
  }
  // Until nothing is left to do now.
  void settle() {
    // The thread of the store answers in its own time.
    for (int i = 0; i < 100 && manager->objects() > running; i++) {
      io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(scope);
    }
  }
  kj::String names(const ListQuery& query, kj::String* next = nullptr) {
    auto page = manager->list(query);
    if (next != nullptr) *next = kj::str(page.next);
    return kj::str(
        kj::delimited(KJ_MAP(view, page.workspaces) { return kj::str(view.name); }, " "));
  }
  size_t running = 0;
};

TEST_CASE(
    "a workspace takes an object only while it runs, something happens to it, or it is held") {
  World w;
  w.make("stopped");
  CHECK(w.manager->size() == 1);
  CHECK(w.manager->objects() == 0);
  {
    auto held = w.find("stopped");
    CHECK(w.manager->objects() == 1);
    CHECK(w.find("stopped").get() == held.get());
  }
  CHECK(w.manager->objects() == 0);

  w.running = 1;
  w.make("running", true);
  CHECK(w.manager->objects() == 1);
  w.running = 0;
  w.find("running")->stop(1000).wait(w.scope);
  w.settle();
  CHECK(w.manager->objects() == 0);
  w.find("running")->erase().wait(w.scope);
  w.settle();
  CHECK(w.manager->size() == 1);
  CHECK(w.manager->objects() == 0);
}

TEST_CASE("what a workspace without an object is, it is again when somebody asks for it") {
  World w;
  w.make("demo");
  auto before = KJ_ASSERT_NONNULL(w.manager->view("demo"));
  CHECK(before.state == WorkspaceState::STOPPED);
  auto held = w.find("demo");
  CHECK(held->row().id == before.id);
  CHECK(held->row().image == "base");
  CHECK(held->row().diskMib == before.diskMib);
  CHECK(held->machineRow() == nullptr);
  w.running = 1;
  held->start(nullptr).wait(w.scope);
  held = nullptr;
  auto view = KJ_ASSERT_NONNULL(w.manager->view("demo"));
  CHECK(view.state == WorkspaceState::RUNNING);
  CHECK(view.agentVersion == "1.2.3");
  w.restart();
  CHECK(KJ_ASSERT_NONNULL(w.manager->view("demo")).state == WorkspaceState::RUNNING);
  CHECK(w.manager->objects() == 1);
}

TEST_CASE("a failure is told of a workspace without an object") {
  World w;
  w.agentAnswers = false;
  auto creating = w.manager->create(w.request("demo"), nullptr);
  while (!creating.poll(w.scope)) w.timer.advanceTo(w.timer.now() + 1 * kj::SECONDS);
  creating.wait(w.scope);
  w.settle();
  CHECK(w.manager->objects() == 0);
  auto view = KJ_ASSERT_NONNULL(w.manager->view("demo"));
  CHECK(view.state == WorkspaceState::FAILED);
  CHECK(view.failure.size() > 0);
  CHECK(w.find("demo")->row().failure == view.failure);
}

TEST_CASE("workspaces are listed by name, in pages") {
  World w;
  for (auto name : {"b", "ab", "aa", "c", "abc", "a"}) w.make(name);
  kj::String next;
  CHECK(w.names({}, &next) == "a aa ab abc b c");
  CHECK(next == "");
  ListQuery query;
  query.limit = 4;
  CHECK(w.names(query, &next) == "a aa ab abc");
  CHECK(next == "abc");
  query.after = next;
  kj::String end;
  CHECK(w.names(query, &end) == "b c");
  CHECK(end == "");
  // One that is gone by now.
  query.after = "abb";
  CHECK(w.names(query) == "abc b c");

  SECTION("those whose name begins so") {
    ListQuery beginning;
    beginning.prefix = "ab";
    CHECK(w.names(beginning) == "ab abc");
    beginning.after = "ab";
    CHECK(w.names(beginning, &end) == "abc");
    CHECK(end == "");
    beginning.after = "zz";
    CHECK(w.names(beginning) == "");
  }
  SECTION("those in a state") {
    w.running = 1;
    w.find("ab")->start(nullptr).wait(w.scope);
    ListQuery running;
    running.states = listBit(WorkspaceState::RUNNING);
    CHECK(w.names(running) == "ab");
    running.states |= listBit(WorkspaceState::STOPPED);
    CHECK(w.names(running) == "a aa ab abc b c");
  }
}

// A store that has so many stopped workspaces, demo-10000 and so on.
StoredState stoppedWorkspaces(kj::uint count) {
  StoredState state;
  state.workspaces = kj::heapArray<WorkspaceRow>(count);
  for (auto i : kj::indices(state.workspaces)) {
    state.workspaces[i].id = kj::str("id-", i);
    state.workspaces[i].name = kj::str("demo-", 10000 + i);
  }
  return state;
}

TEST_CASE("a page has at most MAX_PAGE workspaces, and looks at four times as many") {
  TestWorld w;
  auto world = w.world();
  MachineLeases leases(w.timer, w.clock, {});
  HostCapacity capacity{CapacityPolicy()};
  WorkspaceRegistry registry(world, leases, capacity);
  registry.enter(stoppedWorkspaces(4 * ListQuery::MAX_PAGE + 1));
  ListQuery query;
  query.limit = 5 * ListQuery::MAX_PAGE;
  auto page = registry.list(query);
  CHECK(page.workspaces.size() == ListQuery::MAX_PAGE);
  CHECK(page.next == "demo-10999");

  query.states = listBit(WorkspaceState::RUNNING);
  page = registry.list(query);
  CHECK(page.workspaces.size() == 0);
  REQUIRE(page.next == "demo-13999");
  query.after = page.next;
  page = registry.list(query);
  CHECK(page.workspaces.size() == 0);
  CHECK(page.next == "");
}

TEST_CASE("a stopped workspace makes no work at a start") {
  TestWorld w;
  auto world = w.world();
  MachineLeases leases(w.timer, w.clock, {});
  HostCapacity capacity{CapacityPolicy()};
  WorkspaceRegistry registry(world, leases, capacity);
  auto state = stoppedWorkspaces(3);
  state.workspaces[1].rest = Rest::RUNNING;
  auto unsettled = registry.enter(state);
  REQUIRE(unsettled.size() == 1);
  CHECK(unsettled[0]->row().id == "id-1");
  CHECK(registry.size() == 3);
  CHECK(registry.objects() == 1);
}

}  // namespace
}  // namespace bothy
