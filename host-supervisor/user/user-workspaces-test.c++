#include <kj/debug.h>

#include "user/test-users.h"

namespace bothy {
namespace {

using Done = UserWorkspaces::Done;
using S = WorkspaceState;

// The stages that somebody hears of.
class Heard final: public Progress {
public:
  explicit Heard(kj::Vector<Stage>& stages) : stages(stages) {}
  void stage(Stage stage, kj::Duration, size_t) override { stages.add(stage); }
  void setUp(const SetupStage&, kj::Duration) override { stages.add(Stage::SETTING_UP); }

private:
  kj::Vector<Stage>& stages;
};

TEST_CASE("P28 a user's workspace is brought up from wherever it is") {
  TestUsers w;
  auto first = w.ensured("alice");
  CHECK(first.done == Done::CREATED);
  CHECK(first.name.startsWith("alice-"));
  auto it = w.of("alice");
  CHECK((it->state() == S::RUNNING && it->row().user == "alice" && it->row().userName == ""));
  const auto id = kj::str(it->row().id);

  auto again = [&](Done done) {
    auto next = w.ensured("alice");
    CHECK(next.done == done);
    CHECK(next.name == first.name);
    CHECK(w.of("alice")->state() == S::RUNNING);
    CHECK(w.of("alice")->row().id == id);
    CHECK(w.manager->size() == 1);
  };
  SECTION("it runs") {
    again(Done::CONNECTED);
  }
  SECTION("it is paused") {
    REQUIRE(it->pause().wait(w.scope).is<Workspace::Paused>());
    again(Done::RESUMED);
  }
  SECTION("it is being paused") {
    auto pausing = it->pause();
    w.settle();
    again(Done::RESUMED);
  }
  SECTION("it is hibernated") {
    REQUIRE(it->hibernate().wait(w.scope).is<Workspace::Hibernated>());
    again(Done::RESUMED);
  }
  SECTION("it is being hibernated") {
    auto hibernating = it->hibernate();
    w.settle();
    again(Done::RESUMED);
  }
  SECTION("it is stopped") {
    it->stop(0).wait(w.scope);
    again(Done::STARTED);
  }
  SECTION("it is being stopped") {
    w.powersOff = false;
    auto stopping = it->stop(10000);
    w.settle();
    REQUIRE(it->state() == S::STOPPING);
    auto waiting = w.ensure("alice");
    w.settle();
    CHECK(!waiting.poll(w.scope));
    w.advance(60 * kj::SECONDS);
    CHECK(w.told(waiting.wait(w.scope)).done == Done::STARTED);
    CHECK(it->state() == S::RUNNING);
  }
  SECTION("it has failed") {
    w.driver.end(id, VmEnd::CRASHED);
    w.settle();
    REQUIRE(it->state() == S::FAILED);
    again(Done::STARTED);
  }
  SECTION("it has expired") {
    it->stop(0).wait(w.scope);
    it->expire().wait(w.scope);
    again(Done::RECREATED);
  }
  SECTION("it is just expiring") {
    it->stop(0).wait(w.scope);
    auto expiring = it->expire();
    again(Done::RECREATED);
  }
  SECTION("its disk is being made larger") {
    it->stop(0).wait(w.scope);
    auto resizing = it->resize(8192);
    again(Done::STARTED);
    CHECK(it->row().diskMib == 8192);
  }
  SECTION("bothyd was restarted") {
    it = nullptr;
    w.restart();
    again(Done::CONNECTED);
  }
  SECTION("it is deleted") {
    it->erase().wait(w.scope);
    it = nullptr;
    auto next = w.ensured("alice");
    CHECK(next.done == Done::CREATED);
    CHECK(next.name != first.name);
    CHECK(w.of("alice")->row().id != id);
  }
  SECTION("it is being deleted") {
    w.volumes.failuresToDestroy = 1;
    auto erasing = it->erase();
    w.settle();
    REQUIRE(it->state() == S::DELETING);
    auto waiting = w.ensure("alice");
    w.settle();
    CHECK(!waiting.poll(w.scope));
    it = nullptr;
    for (int i = 0; i < 5; i++) {
      w.advance(1 * kj::SECONDS);
      w.settle();
    }
    CHECK(w.told(waiting.wait(w.scope)).done == Done::CREATED);
    CHECK(w.of("alice")->row().id != id);
  }
}

TEST_CASE("P57 who asks for one workspace at once gets one start, one answer and one progress") {
  TestUsers w;
  w.driver.queueStarts(1);
  kj::Vector<Stage> first, second;
  auto one = w.ensure("alice", "", kj::Own<Progress>(kj::heap<Heard>(first)));
  w.settle();
  auto two = w.ensure("alice", "", kj::Own<Progress>(kj::heap<Heard>(second)));
  auto other = w.ensure("alice", "lab");
  w.settle();
  CHECK(w.manager->size() == 2);
  CHECK((!one.poll(w.scope) && !two.poll(w.scope)));
  w.driver.releaseStarts();
  auto a = one.wait(w.scope), b = two.wait(w.scope);
  CHECK(a.get() == b.get());
  CHECK(w.told(a).done == Done::CREATED);
  CHECK(w.told(other.wait(w.scope)).name.startsWith("alice-lab-"));
  // Who came later hears of where it was, and of the rest.
  REQUIRE((first.size() > second.size() && second.size() >= 2));
  for (auto i : kj::indices(second)) {
    CHECK(first[first.size() - second.size() + i] == second[i]);
  }
  CHECK(second.back() == Stage::AGENT_READY);
  CHECK(w.users->isIdle());
}

TEST_CASE("P57 a caller that leaves undoes nothing, and who asks again gets what he began") {
  TestUsers w;
  w.driver.queueStarts(1);
  SECTION("another still waits") {
    auto one = w.ensure("alice");
    auto two = w.ensure("alice");
    w.settle();
    one = nullptr;
    w.driver.releaseStarts();
    CHECK(w.told(two.wait(w.scope)).done == Done::CREATED);
  }
  SECTION("nobody does") {
    auto one = w.ensure("alice");
    w.settle();
    one = nullptr;
    CHECK(w.users->isIdle());
    auto two = w.ensure("alice");
    w.settle();
    CHECK(w.manager->size() == 1);
    w.driver.releaseStarts();
    CHECK(w.told(two.wait(w.scope)).done == Done::CREATED);
  }
  SECTION("before it is stored") {
    w.refusing.holdWrites();
    auto one = w.ensure("alice");
    w.settle();
    one = nullptr;
    auto two = w.ensure("alice");
    w.settle();
    w.refusing.letWritesGo();
    w.settle();
    w.driver.releaseStarts();
    two.wait(w.scope);
    CHECK(w.manager->size() == 1);
  }
  SECTION("bothyd is killed") {
    auto one = w.ensure("alice");
    w.settle();
    one = nullptr;
    w.driver.releaseStarts();
    w.restart();
    w.settle();
    w.ensured("alice");
    CHECK(w.manager->size() == 1);
  }
  CHECK(w.manager->size() == 1);
}

TEST_CASE("who joins the start of another is told what that does") {
  TestUsers w;
  w.ensured("alice");
  auto it = w.of("alice");
  it->stop(0).wait(w.scope);
  w.driver.queueStarts(1);
  auto done = Done::STARTED;
  SECTION("of one that was stopped") {}
  SECTION("of one that had expired, and starts already") {
    it->expire().wait(w.scope);
    done = Done::RECREATED;
  }
  auto starting = it->start(nullptr);
  starting.poll(w.scope);
  REQUIRE(it->state() == S::STARTING);
  auto one = w.ensure("alice");
  w.settle();
  w.driver.releaseStarts();
  CHECK(w.told(one.wait(w.scope)).done == done);
  CHECK(it->state() == S::RUNNING);
}

TEST_CASE("what a user's workspace is made of is said once, by who makes it") {
  TestUsers w;
  auto wanted = [](kj::StringPtr tier) {
    UserWorkspaces::Wanted result{kj::str("alice"), kj::str("lab"), {}};
    result.spec.tier = kj::str(tier);
    return result;
  };
  w.users->ensure(wanted("pro"), nullptr).wait(w.scope);
  CHECK((w.of("alice", "lab")->row().tier == "pro" && w.of("alice", "lab")->row().cpus == 2));
  auto again = w.users->ensure(wanted("team"), nullptr).wait(w.scope);
  CHECK(w.told(again).done == Done::CONNECTED);
  CHECK(w.of("alice", "lab")->row().tier == "pro");
  // It is not looked at.
  CHECK(w.told(w.users->ensure(wanted("none"), nullptr).wait(w.scope)).done == Done::CONNECTED);
}

TEST_CASE("what cannot be ensured is refused, and nothing is made") {
  TestUsers w;
  auto why = [&](UserWorkspaces::Wanted wanted) {
    auto answer = w.users->ensure(kj::mv(wanted), nullptr).wait(w.scope);
    return kj::str(answer->outcome.get<WorkspaceManager::Invalid>().why);
  };
  CHECK(why({kj::str("a b"), nullptr, {}}).startsWith("user is 'a b'"));
  CHECK(why({nullptr, nullptr, {}}).startsWith("user is ''"));
  CHECK(why({kj::str("alice"), kj::str("No"), {}}).startsWith("name is no name"));
  GivenSpec named;
  named.name = kj::str("demo");
  CHECK(why({kj::str("alice"), nullptr, kj::mv(named)}).startsWith("spec.name is given"));
  GivenSpec large;
  large.cpus = 1000;
  CHECK(why({kj::str("alice"), nullptr, kj::mv(large)}).startsWith("cpus is 1000"));
  GivenSpec other;
  other.image = kj::str("other");
  auto answer = w.users->ensure({kj::str("alice"), nullptr, kj::mv(other)}, nullptr).wait(w.scope);
  CHECK(answer->outcome.get<WorkspaceManager::NoSuchImage>().name == "other");
  CHECK(w.manager->size() == 0);
}

TEST_CASE("P28 a start that fails is told to all who asked, and can be asked for again") {
  TestUsers w;
  w.agentAnswers = false;
  auto one = w.ensure("alice"), two = w.ensure("alice");
  for (int i = 0; i < 200; i++) {
    w.settle();
    w.advance(1 * kj::SECONDS);
  }
  auto a = one.wait(w.scope), b = two.wait(w.scope);
  CHECK(a->outcome.get<StartReport::Failure>().message.size() > 0);
  CHECK(a.get() == b.get());
  CHECK(w.of("alice")->state() == S::FAILED);
  w.agentAnswers = true;
  CHECK(w.ensured("alice").done == Done::STARTED);
}

TEST_CASE(
    "a stop, a delete or a full host comes before a user's workspace runs, and all are told") {
  TestUsers w;
  SECTION("a stop") {
    w.driver.queueStarts(1);
    auto one = w.ensure("alice");
    w.settle();
    w.of("alice")->stop(0).wait(w.scope);
    CHECK(one.wait(w.scope)->outcome.is<WorkspaceManager::Stopped>());
  }
  SECTION("a delete") {
    w.ensured("alice");
    w.of("alice")->stop(0).wait(w.scope);
    w.driver.queueStarts(1);
    auto one = w.ensure("alice");
    w.settle();
    w.of("alice")->erase().wait(w.scope);
    CHECK(one.wait(w.scope)->outcome.get<Busy>().state == S::DELETING);
  }
  SECTION("the host is full") {
    w.limits.capacity.memoryMib = 600;
    w.restart();
    w.ensured("alice");
    CHECK(w.ensure("bob").wait(w.scope)->outcome.is<Shortage>());
    CHECK(w.manager->ofUser("bob", "") == nullptr);
  }
}

TEST_CASE("a user's workspace is nobody else's, whatever they call themselves") {
  TestUsers w;
  kj::Vector<kj::String> names;
  auto add = [&](kj::StringPtr user, kj::StringPtr name) {
    auto made = w.ensured(user, name);
    CHECK(made.done == Done::CREATED);
    for (auto& other : names) CHECK(other != made.name);
    names.add(kj::mv(made.name));
  };
  add("alice", "");
  add("Alice", "");
  add("alice-lab", "");
  add("alice", "lab");
  add("alice.lab", "");
  add("$(alice)", "");
  // One that an operator has made is no user's, though it be called so.
  w.manager->create(w.request("bob-000000000000"), nullptr).wait(w.scope);
  add("bob", "");
  CHECK(w.manager->ofUser("", "") == nullptr);
}

}  // namespace
}  // namespace bothy
