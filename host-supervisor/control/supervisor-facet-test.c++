#include "control/supervisor-facet.h"

#include <kj/debug.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>

#include "control/control-server.h"
#include "control/supervisor-fixture.h"
#include "store/sqlite-database.h"
#include "support/few-files.h"

namespace bothy {
namespace {

class RecordingSink final: public rpc::EventSink::Server {
public:
  RecordingSink(kj::Vector<uint64_t>& numbers, bool stalled) : numbers(numbers), stalled(stalled) {}

private:
  kj::Vector<uint64_t>& numbers;
  bool stalled;

  kj::Promise<void> event(EventContext context) override {
    numbers.add(context.getParams().getEvent().getNumber());
    if (stalled) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }
};

TEST_CASE("a client creates a workspace and talks to its agent") {
  Fixture f;
  auto version = f.supervisor().versionRequest().send().wait(f.scope);
  CHECK(version.getAccelerator() == "tcg");
  CHECK(version.getVersion() == "9.9.9");

  auto created = f.create("demo").wait(f.scope);
  REQUIRE(created.getOutcome().isCreated());
  auto info = created.getOutcome().getCreated();
  CHECK(info.getState() == rpc::WorkspaceState::RUNNING);
  CHECK(info.getAgentVersion() == "1.2.3");
  CHECK(info.getAccelerator() == "tcg");
  CHECK(f.create("demo").wait(f.scope).getOutcome().isExists());

  auto connected = f.connect("demo").wait(f.scope);
  REQUIRE(connected.getOutcome().isConnected());
  CHECK(connected.getOutcome().getConnected().getStartedNanos() > 0);
  auto lane = f.open(connected.getLane());
  auto report = f.agentOf(*lane).reportRequest().send().wait(f.scope);
  CHECK(report.getReport().getAgentVersion() == "1.2.3");
}

TEST_CASE("what a client must expect is a value") {
  Fixture f;
  auto get = f.supervisor().getRequest();
  get.setName("none");
  CHECK(get.send().wait(f.scope).getOutcome().isAbsent());
  auto start = f.supervisor().startRequest();
  start.setName("none");
  CHECK(start.send().wait(f.scope).getOutcome().isAbsent());
  auto stop = f.supervisor().stopRequest();
  stop.setName("none");
  CHECK(stop.send().wait(f.scope).getOutcome().isAbsent());
  auto erase = f.supervisor().deleteRequest();
  erase.setName("none");
  CHECK(erase.send().wait(f.scope).getOutcome().isAbsent());
  CHECK(f.create("No").wait(f.scope).getOutcome().isInvalid());
  auto create = f.supervisor().createRequest();
  create.initSpec().setName("demo");
  create.getSpec().setImage("none");
  CHECK(create.send().wait(f.scope).getOutcome().getNoSuchImage() == "none");
}

TEST_CASE("P30 a workspace that stands still on a full disk says so until it goes on") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto stalled = [&]() {
    auto response = f.supervisor().listRequest().send().wait(f.scope);
    auto info = response.getWorkspaces()[0];
    CHECK(info.getState() == rpc::WorkspaceState::RUNNING);
    return kj::str(info.getStalled());
  };
  auto connect = [&]() { return f.connect("demo").wait(f.scope); };
  CHECK(stalled() == "");
  auto name = kj::mv(f.driver.running()[0]);
  f.driver.stall(name);
  CHECK(stalled().startsWith("the host's disk is full"));
  CHECK(connect().getOutcome().getStalled().startsWith("the host's disk is full"));
  f.driver.goOn(name);
  CHECK(stalled() == "");
  CHECK(connect().getOutcome().isConnected());
}

TEST_CASE("P41 a bothyd that has no files left is overloaded, and says nothing of the workspace") {
  Fixture f;
  f.create("demo").wait(f.scope);
  // It takes the connection that was ready.
  f.connect("demo").wait(f.scope);
  kj::Maybe<kj::Exception> failure;
  {
    FewFiles none(0);
    failure = kj::runCatchingExceptions([&]() { f.connect("demo").wait(f.scope); });
  }
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::OVERLOADED);
  CHECK(f.connect("demo").wait(f.scope).getOutcome().isConnected());
}

TEST_CASE("P41 a machine that bothyd cannot take over is running and unreachable, and says why") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto unreachable = [&]() {
    auto response = f.supervisor().listRequest().send().wait(f.scope);
    auto info = response.getWorkspaces()[0];
    CHECK(info.getState() == rpc::WorkspaceState::RUNNING);
    return kj::str(info.getUnreachable());
  };
  CHECK(unreachable() == "");
  f.driver.failAdoptions(KJ_EXCEPTION(FAILED, "it does not talk"));
  f.restart();
  f.serve();
  CHECK(unreachable() == "it does not talk");
  CHECK(f.connect("demo").wait(f.scope).getOutcome().getUnreachable() == "it does not talk");
  f.driver.allowAdoptions();
  f.advance(1 * kj::SECONDS);
  f.settle();
  CHECK(unreachable() == "");
  CHECK(f.connect("demo").wait(f.scope).getOutcome().isConnected());
}

TEST_CASE("P45 a stop during the boot is told to all: to who starts, and which way it ended") {
  Fixture f;
  f.agentAnswers = false;
  auto creating = f.create("demo");
  f.settle();
  auto start = f.supervisor().startRequest();
  start.setName("demo");
  auto starting = start.send();
  f.settle();
  auto stop = f.supervisor().stopRequest();
  stop.setName("demo");
  auto stopped = stop.send().wait(f.scope);
  CHECK(stopped.getOutcome().getStopped() == rpc::Supervisor::StopKind::FORCED);
  CHECK(starting.wait(f.scope).getOutcome().isStopped());
  auto created = creating.wait(f.scope);
  REQUIRE(created.getOutcome().isStopped());
  CHECK(created.getOutcome().getStopped().getSpec().getName() == "demo");
}

TEST_CASE("S12 an agent that lies about its version takes the list away from nobody") {
  // The one is a message of its lane, and of the other not even that comes through.
  const std::pair<size_t, kj::StringPtr> lies[] = {{32 << 10, "?"_kj}, {7 << 20, ""_kj}};
  for (auto& [size, expected] : lies) {
    Fixture f;
    auto lie = kj::heapString(size);
    for (auto& each : lie.asArray()) each = 'v';
    f.agentVersion = kj::mv(lie);
    f.create("demo").wait(f.scope);
    auto response = f.supervisor().listRequest().send().wait(f.scope);
    REQUIRE(response.getWorkspaces().size() == 1);
    CHECK(kj::StringPtr(response.getWorkspaces()[0].getAgentVersion()) == expected);
    CHECK(f.store->state().machines[0].agentVersion == expected);
  }
}

TEST_CASE("P28 stop, start and delete over the wire") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto stop = f.supervisor().stopRequest();
  stop.setName("demo");
  CHECK(stop.send().wait(f.scope).getOutcome().getStopped() == rpc::Supervisor::StopKind::ORDERLY);
  CHECK(f.connect("demo").wait(f.scope).getOutcome().getNotRunning() ==
        rpc::WorkspaceState::STOPPED);
  auto start = f.supervisor().startRequest();
  start.setName("demo");
  CHECK(start.send().wait(f.scope).getOutcome().isStarted());
  auto erase = f.supervisor().deleteRequest();
  erase.setName("demo");
  CHECK(erase.send().wait(f.scope).getOutcome().isDeleted());
  CHECK(f.supervisor().listRequest().send().wait(f.scope).getWorkspaces().size() == 0);
}

TEST_CASE("P58 a watcher gets what was and what comes, in order and once") {
  Fixture f;
  f.create("one").wait(f.scope);
  kj::Vector<uint64_t> numbers;
  auto watch = f.supervisor().watchRequest();
  watch.setAfter(1);
  watch.setSink(kj::heap<RecordingSink>(numbers, false));
  auto watching = watch.send().wait(f.scope);
  CHECK(watching.getFirst() == 1);
  CHECK(watching.getLast() == 3);
  f.create("two").wait(f.scope);
  f.settle();
  REQUIRE(numbers.size() == 5);
  for (size_t i = 0; i < numbers.size(); i++) CHECK(numbers[i] == i + 2);
}

TEST_CASE("P58 a watcher misses nothing while the events cannot be read") {
  Fixture f;
  f.create("one").wait(f.scope);
  kj::Vector<uint64_t> numbers;
  auto watch = f.supervisor().watchRequest();
  watch.setSink(kj::heap<RecordingSink>(numbers, false));
  auto watching = watch.send().wait(f.scope);
  f.settle();
  auto before = numbers.size();
  f.refusing.refusesReads = true;
  EventRecord event;
  event.workspace = kj::str("one");
  f.events->reached(f.store->commit(kj::mv(Change().tell(kj::mv(event)))).lastEvent);
  f.settle();
  CHECK(numbers.size() == before);
  f.refusing.refusesReads = false;
  f.advance(1 * kj::SECONDS);
  f.settle();
  CHECK(numbers.size() == before + 1);
}

TEST_CASE("P58 a watcher hears of what comes behind many events that are damaged") {
  Fixture f;
  f.create("one").wait(f.scope);
  EventRecord event;
  event.workspace = kj::str("one");
  for (int i = 0; i < 200; i++) {
    event.detail = kj::str("damaged ", i);
    f.store->commit(kj::mv(Change().tell(event.clone())));
  }
  SqliteDatabase(kj::str(f.directory, "/state.db"))
      .run("UPDATE events SET cause=99 WHERE detail LIKE 'damaged %'");
  event.detail = kj::str("whole");
  const auto whole = f.store->commit(kj::mv(Change().tell(event.clone()))).lastEvent;
  event.detail = kj::str("another");
  f.events->reached(f.store->commit(kj::mv(Change().tell(event.clone()))).lastEvent);
  kj::Vector<uint64_t> numbers;
  auto watch = f.supervisor().watchRequest();
  watch.setSink(kj::heap<RecordingSink>(numbers, false));
  auto watching = watch.send().wait(f.scope);
  f.settle();
  REQUIRE(numbers.size() >= 2);
  CHECK(numbers[numbers.size() - 2] == whole);
  CHECK(numbers.back() == whole + 1);
}

TEST_CASE("P58 a watcher that does not take its events makes nothing grow") {
  Fixture f;
  f.create("demo").wait(f.scope);
  EventRecord event;
  event.workspace = kj::str("demo");
  for (int i = 0; i < 500; i++) {
    event.detail = kj::str(i, ' ', kj::repeat('x', 10000));
    f.events->reached(f.store->commit(kj::mv(Change().tell(event.clone()))).lastEvent);
  }
  kj::Vector<uint64_t> numbers;
  auto watch = f.supervisor().watchRequest();
  watch.setSink(kj::heap<RecordingSink>(numbers, true));
  auto watching = watch.send().wait(f.scope);
  f.settle();
  CHECK(numbers.size() > 0);
  CHECK(numbers.size() < 100);
}

TEST_CASE("S24 a client is told every finding, and of a second look what that one found") {
  Fixture f;
  auto first = f.supervisor().doctorRequest().send().wait(f.scope);
  auto findings = first.getFindings();
  REQUIRE(findings.size() == 3);
  CHECK(findings[0].getName() == "fuse");
  CHECK(findings[0].getVerdict() == rpc::Verdict::OK);
  CHECK(findings[0].getFound() == "/dev/fuse");
  CHECK(findings[0].getAdvice() == "");
  CHECK(findings[1].getVerdict() == rpc::Verdict::WARN);
  CHECK(findings[1].getFound() == "look 1");
  CHECK(findings[1].getAdvice() == "switch it off");
  CHECK(findings[2].getVerdict() == rpc::Verdict::REFUSE);
  auto second = f.supervisor().doctorRequest().send().wait(f.scope);
  CHECK(second.getFindings()[1].getFound() == "look 2");
}

TEST_CASE("S02 one client more than the limit waits until another leaves") {
  Fixture f;
  auto path = kj::str(f.directory, "/socket");
  auto fd = listenOn(path, nullptr);
  struct stat stats;
  REQUIRE(stat(path.cStr(), &stats) == 0);
  CHECK((stats.st_mode & 0777) == 0600);
  auto receiver = f.io.lowLevelProvider->wrapListenSocketFd(
      kj::mv(fd),
      kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC | kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK);
  ControlServer server(
      f.timer, f.lanes.descriptors, f.uidOwners, [&f](ClientIdentity) { return f.supervisor(); }, 1,
      kj::systemPreciseMonotonicClock());
  auto listening = server.listen(*receiver).eagerlyEvaluate(nullptr);

  auto address = f.io.provider->getNetwork().parseAddress(kj::str("unix:", path)).wait(f.scope);
  auto first = kj::heap<RpcConnection>(address->connect().wait(f.scope));
  auto firstBoot = first->bootstrap().castAs<rpc::Supervisor>();
  firstBoot.versionRequest().send().wait(f.scope);

  RpcConnection second(address->connect().wait(f.scope));
  auto waiting = second.bootstrap().castAs<rpc::Supervisor>().versionRequest().send();
  CHECK_FALSE(waiting.poll(f.scope));
  firstBoot = nullptr;
  first = nullptr;
  waiting.wait(f.scope);
}

}  // namespace
}  // namespace bothy
