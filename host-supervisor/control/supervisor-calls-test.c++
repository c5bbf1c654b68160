// What calls have of parameters and results beyond an outcome.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

// The stages that a client hears of, each with what else is told of it.
class RecordingProgress final: public rpc::Progress::Server {
public:
  explicit RecordingProgress(kj::Vector<kj::String>& heard) : heard(heard) {}

private:
  kj::Vector<kj::String>& heard;

  kj::Promise<void> stage(StageContext context) override {
    auto params = context.getParams();
    heard.add(kj::str(static_cast<int>(params.getStage()), " after ", params.getElapsedMillis(),
                      " ms, ", params.getBefore(), " before"));
    return kj::READY_NOW;
  }
};

TEST_CASE("P28 a client that waits for a start hears of its stages, and how many start before it") {
  Fixture f;
  f.driver.queueStarts(12);
  kj::Vector<kj::String> heard;
  auto request = f.supervisor().createRequest();
  request.initSpec().setName("demo");
  request.setProgress(kj::heap<RecordingProgress>(heard));
  auto creating = request.send();
  f.settle();
  REQUIRE(heard.size() > 0);
  CHECK(heard.back() == "4 after 0 ms, 12 before");
  // Who joins hears where it is.
  kj::Vector<kj::String> joined;
  auto start = f.supervisor().startRequest();
  start.setName("demo");
  start.setProgress(kj::heap<RecordingProgress>(joined));
  f.advance(5 * kj::SECONDS);
  auto starting = start.send();
  f.settle();
  REQUIRE(joined.size() == 1);
  CHECK(joined[0] == "4 after 5000 ms, 12 before");
  f.driver.releaseStarts();
  CHECK(creating.wait(f.scope).getOutcome().isCreated());
  CHECK(starting.wait(f.scope).getOutcome().isStarted());
  f.settle();
  CHECK(kj::strArray(heard, "; ") ==
        "0 after 0 ms, 0 before; 1 after 0 ms, 0 before; 4 after 0 ms, 12 before; "
        "1 after 5000 ms, 0 before; 2 after 5000 ms, 0 before; 3 after 5000 ms, 0 before");
}

TEST_CASE("P53 a client learns what the host has left, and what is short of it") {
  Fixture f;
  f.limits.capacity.memoryMib = 1000;
  f.limits.capacity.cpus = 8;
  f.limits.capacity.freeDiskMib = 256;
  f.restart();
  f.serve();
  f.volumes.free = 5000ull << 20;
  REQUIRE(f.create("a").wait(f.scope).getOutcome().isCreated());
  auto response = f.supervisor().capacityRequest().send().wait(f.scope);
  auto capacity = response.getCapacity();
  CHECK((capacity.getMemory().getUsedMib() == 512 && capacity.getMemory().getMostMib() == 1000));
  CHECK((capacity.getCpus().getUsed() == 1 && capacity.getCpus().getMost() == 8));
  auto disk = capacity.getDisk();
  CHECK((disk.getPromisedMib() == 4096 && disk.getMostMib() == 0));
  CHECK((disk.getFreeMib() == 5000 && disk.getKeptMib() == 256));

  auto refused = f.create("b").wait(f.scope);
  REQUIRE(refused.getOutcome().isNoCapacity());
  auto shortage = refused.getOutcome().getNoCapacity();
  CHECK(shortage.getWhat() == rpc::Shortage::Resource::MEMORY);
  CHECK((shortage.getAsked() == 512 && shortage.getFree() == 488));
  CHECK(shortage.getWhy().startsWith("the host has too little memory left"));
  auto only = f.supervisor().createRequest();
  only.initSpec().setName("b");
  only.setStart(false);
  REQUIRE(only.send().wait(f.scope).getOutcome().isCreated());
  auto start = f.supervisor().startRequest();
  start.setName("b");
  CHECK(start.send().wait(f.scope).getOutcome().isNoCapacity());
}

TEST_CASE("a client has the tiers, and makes workspaces with them") {
  Fixture f;
  auto response = f.supervisor().tiersRequest().send().wait(f.scope);
  auto tiers = response.getTiers();
  REQUIRE(tiers.size() == 4);
  CHECK((tiers[1].getName() == "pro" && tiers[1].getCpus() == 2));
  CHECK((tiers[1].getMemoryMib() == 2048 && tiers[1].getDiskMib() == 10240));
  CHECK(tiers[1].getSessions() == 3);
  auto request = f.supervisor().createRequest();
  auto wanted = request.initSpec();
  wanted.setName("demo");
  wanted.setTier("pro");
  auto created = request.send().wait(f.scope);
  auto spec = created.getOutcome().getCreated().getSpec();
  CHECK((spec.getTier() == "pro" && spec.getCpus() == 2 && spec.getDiskMib() == 10240));
}

TEST_CASE("a client lists a page of the workspaces that it asks for") {
  Fixture f;
  for (auto name : {"web-1", "web-2", "web-3", "web-4", "mail"}) {
    auto request = f.supervisor().createRequest();
    request.initSpec().setName(name);
    request.setStart(kj::StringPtr(name) == "web-2");
    request.send().wait(f.scope);
  }
  auto page = [&](kj::StringPtr prefix, kj::StringPtr after, uint32_t limit, bool isStopped) {
    auto request = f.supervisor().listRequest();
    request.setPrefix(prefix);
    request.setAfter(after);
    request.setLimit(limit);
    if (isStopped) request.initStates(1).set(0, rpc::WorkspaceState::STOPPED);
    auto response = request.send().wait(f.scope);
    kj::Vector<kj::String> names;
    for (auto info : response.getWorkspaces()) names.add(kj::str(info.getSpec().getName()));
    return kj::str(kj::strArray(names, " "), "; ", response.getNext());
  };
  CHECK(page("", "", 0, false) == "mail web-1 web-2 web-3 web-4; ");
  CHECK(page("web-", "", 0, false) == "web-1 web-2 web-3 web-4; ");
  CHECK(page("web-", "", 0, true) == "web-1 web-3 web-4; ");
  CHECK(page("web-", "web-1", 0, true) == "web-3 web-4; ");
  CHECK(page("web-", "", 2, true) == "web-1 web-3; web-3");
  CHECK(page("none", "", 0, false) == "; ");
  auto unknown = f.supervisor().listRequest();
  unknown.initStates(1).set(0, static_cast<rpc::WorkspaceState>(99));
  CHECK_THROWS(unknown.send().wait(f.scope));
}

// Until the call returns; where it does not in its time the next CHECK says so.
template <typename Call>
auto answerOf(Fixture& f, Call&& call) {
  for (auto passed = 0 * kj::SECONDS; passed <= Deadlines().call; passed += 1 * kj::SECONDS) {
    f.settle();
    f.advance(1 * kj::SECONDS);
  }
  f.settle();
  REQUIRE(call.poll(f.scope));
  return call.wait(f.scope);
}

TEST_CASE("P12 what goes on when its call ends is told so over the wire") {
  Fixture f;
  auto check = [](rpc::Supervisor::Underway::Reader underway, rpc::WorkspaceState state) {
    CHECK(underway.getState() == state);
    CHECK(underway.getWhy().size() > 0);
  };
  auto make = [&f](bool start) {
    auto create = f.supervisor().createRequest();
    create.initSpec().setName("demo");
    create.setStart(start);
    return create.send();
  };
  // The machine runs, and that cannot be stored.
  auto refuseEnd = [&f]() {
    f.settle();
    REQUIRE(f.store->state().operations[0].step == "agent");
    f.refusing.writesToRefuse = 1000;
    f.agentAnswers = true;
    f.advance(2 * kj::SECONDS);
  };
  SECTION("a resize") {
    make(false).wait(f.scope);
    f.driver.failRemovals(1000);
    auto resize = f.supervisor().resizeRequest();
    resize.setName("demo");
    resize.setDiskMib(8192);
    auto response = answerOf(f, resize.send());
    REQUIRE(response.getOutcome().isUnderway());
    check(response.getOutcome().getUnderway(), rpc::WorkspaceState::RESIZING);
    f.driver.failRemovals(0);
  }
  SECTION("a stop") {
    make(true).wait(f.scope);
    f.powersOff = false;
    f.driver.failRemovals(1000);
    auto stop = f.supervisor().stopRequest();
    stop.setName("demo");
    stop.setGraceMillis(0);
    auto response = answerOf(f, stop.send());
    REQUIRE(response.getOutcome().isUnderway());
    check(response.getOutcome().getUnderway(), rpc::WorkspaceState::STOPPING);
    f.driver.failRemovals(0);
  }
  SECTION("a delete") {
    make(false).wait(f.scope);
    f.volumes.failuresToDestroy = 1000;
    auto erase = f.supervisor().deleteRequest();
    erase.setName("demo");
    auto response = answerOf(f, erase.send());
    REQUIRE(response.getOutcome().isUnderway());
    check(response.getOutcome().getUnderway(), rpc::WorkspaceState::DELETING);
    f.volumes.failuresToDestroy = 0;
  }
  SECTION("a start") {
    make(false).wait(f.scope);
    f.agentAnswers = false;
    auto start = f.supervisor().startRequest();
    start.setName("demo");
    auto starting = start.send();
    refuseEnd();
    auto response = answerOf(f, starting);
    REQUIRE(response.getOutcome().isUnderway());
    check(response.getOutcome().getUnderway(), rpc::WorkspaceState::STARTING);
    f.refusing.writesToRefuse = 0;
  }
  SECTION("a creation with a start") {
    f.agentAnswers = false;
    auto creating = make(true);
    refuseEnd();
    auto response = answerOf(f, creating);
    REQUIRE(response.getOutcome().isUnderway());
    check(response.getOutcome().getUnderway(), rpc::WorkspaceState::STARTING);
    f.refusing.writesToRefuse = 0;
  }
}

}  // namespace
}  // namespace bothy
