#include "rpc/lane-bootstrap.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "rpc/control-facet.h"
#include "rpc/granted-files.h"
#include "rpc/test-notes.h"
#include "support/greeted-lane.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

using Verb = rpc::Verb;

// What the facets were asked for, whoever asked.
struct Reached {
  kj::uint terminals = 0, views = 0, programs = 0, machine = 0, files = 0, control = 0;
};

// Hands out a terminal for each id.
class SomeTerminals final: public rpc::Terminals::Server {
public:
  explicit SomeTerminals(Reached& reached) : reached(reached) {}

  kj::Promise<void> open(OpenContext) override { return note(); }
  kj::Promise<void> list(ListContext) override { return note(); }
  kj::Promise<void> view(ViewContext context) override {
    ++reached.views;
    context.getResults().setTerminals(kj::heap<NoTerminals>());
    return kj::READY_NOW;
  }
  kj::Promise<void> get(GetContext context) override {
    context.getResults().setTerminal(kj::heap<SomeTerminal>(reached));
    return note();
  }

private:
  class NoTerminals final: public rpc::Terminals::Server {};
  class SomeTerminal final: public rpc::Terminal::Server {
  public:
    explicit SomeTerminal(Reached& reached) : reached(reached) {}
    kj::Promise<void> info(InfoContext) override {
      ++reached.terminals;
      return kj::READY_NOW;
    }

  private:
    Reached& reached;
  };

  Reached& reached;
  kj::Promise<void> note() {
    ++reached.terminals;
    return kj::READY_NOW;
  }
};

// Hands out a program for each id and each request id.
class SomeProcesses final: public rpc::Processes::Server {
public:
  explicit SomeProcesses(Reached& reached) : reached(reached) {}

  kj::Promise<void> exec(ExecContext context) override {
    context.getResults().setProcess(kj::heap<SomeProcess>(reached));
    return note();
  }
  kj::Promise<void> reattach(ReattachContext context) override {
    context.getResults().setProcess(kj::heap<SomeProcess>(reached));
    return note();
  }

private:
  class SomeProcess final: public rpc::Process::Server {
  public:
    explicit SomeProcess(Reached& reached) : reached(reached) {}
    kj::Promise<void> info(InfoContext) override {
      ++reached.programs;
      return kj::READY_NOW;
    }

  private:
    Reached& reached;
  };

  Reached& reached;
  kj::Promise<void> note() {
    ++reached.programs;
    return kj::READY_NOW;
  }
};

class SomeSystem final: public rpc::System::Server {
public:
  explicit SomeSystem(Reached& reached) : reached(reached) {}
  kj::Promise<void> report(ReportContext) override { return note(); }
  kj::Promise<void> health(HealthContext) override { return note(); }

private:
  Reached& reached;
  kj::Promise<void> note() {
    ++reached.machine;
    return kj::READY_NOW;
  }
};

class SomeFiles final: public rpc::Files::Server {
public:
  explicit SomeFiles(Reached& reached) : reached(reached) {}
  kj::Promise<void> home(HomeContext) override {
    ++reached.files;
    return kj::READY_NOW;
  }

private:
  Reached& reached;
};

struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  Reached reached;
  class NoLanes final: public FileLanes {
    kj::OneOf<kj::Own<OfUser>, rpc::Refusal> find(const LaneGrant&) override {
      return rpc::Refusal::NO_SUCH_USER;
    }
  } files;
  Facets facets{[this](auto) { return kj::heap<SomeTerminals>(reached); },
                [this](auto) { return kj::heap<SomeProcesses>(reached); },
                kj::heap<SomeSystem>(reached), files, noNotes()};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  LaneRegistry lanes{timer};
  kj::Vector<kj::Promise<void>> calls;

  template <typename Request>
  void call(Request request) {
    calls.add(request.send().ignoreResult().catch_([](kj::Exception&&) {}));
  }

  // All ways to a terminal, to a program and to the machine, each asked of `from` as if it were what has that method; each id as
  // if it were of either kind.
  void callTerminals(rpc::Terminals::Client from) {
    call(from.openRequest());
    call(from.listRequest());
    auto get = from.getRequest();
    get.setId(ID);
    auto got = get.send();
    call(got.getTerminal().infoRequest());
    calls.add(got.ignoreResult().catch_([](kj::Exception&&) {}));
  }
  void callProcesses(rpc::Processes::Client from) {
    auto exec = from.execRequest();
    exec.setKeep(true);
    exec.setRequestId("of another lane");
    auto started = exec.send();
    call(started.getProcess().infoRequest());
    calls.add(started.ignoreResult().catch_([](kj::Exception&&) {}));
    auto reattach = from.reattachRequest();
    reattach.setId(ID);
    auto attached = reattach.send();
    call(attached.getProcess().infoRequest());
    calls.add(attached.ignoreResult().catch_([](kj::Exception&&) {}));
  }
  void callEverything(capnp::Capability::Client from) {
    callTerminals(from.castAs<rpc::Terminals>());
    callProcesses(from.castAs<rpc::Processes>());
    call(from.castAs<rpc::System>().reportRequest());
    call(from.castAs<rpc::System>().healthRequest());
    call(from.castAs<rpc::Files>().homeRequest());
    call(from.castAs<rpc::Terminal>().infoRequest());
    call(from.castAs<rpc::Process>().infoRequest());
    callControl(from.castAs<rpc::AgentControl>());
  }
  void callControl(rpc::AgentControl::Client from) {
    calls.add(from.lanesRequest().send().then([this](auto&&) { ++reached.control; },
                                              [](kj::Exception&&) {}));
  }

  // What a lane reaches that was granted `verbs` for `purpose`.
  Reached reach(rpc::Purpose purpose, LaneGrant::Verbs verbs) {
    auto grant = wholeGrant(purpose);
    grant.verbs = verbs;
    reached = {};
    auto pipe = io.provider->newTwoWayPipe();
    auto first =
        purpose == rpc::Purpose::FILES
            ? capnp::Capability::Client(newGrantedFiles(kj::heap<SomeFiles>(reached), grant.verbs))
            : newLaneBootstrap(facets, lanes, grant);
    RpcConnection server(kj::mv(pipe.ends[0]), kj::mv(first));
    RpcConnection client(kj::mv(pipe.ends[1]));
    auto bootstrap = client.bootstrap();
    auto agent = bootstrap.castAs<rpc::Agent>();
    callEverything(bootstrap);
    callEverything(agent.terminalsRequest().send().getTerminals());
    callEverything(agent.processesRequest().send().getProcesses());
    callEverything(agent.systemRequest().send().getSystem());
    kj::joinPromises(calls.releaseAsArray()).wait(scope);
    return reached;
  }

  static constexpr uint64_t ID = 1;
};

TEST_CASE("S25 what a grant lacks is reached by no call, pipelined or by an id or otherwise") {
  Fixture f;
  for (auto purpose : {rpc::Purpose::INTERACTIVE, rpc::Purpose::COMMANDS}) {
    auto programs = f.reach(purpose, {Verb::PROGRAMS});
    CHECK(programs.programs == 4);
    CHECK(programs.terminals == 0);
    CHECK(programs.machine == 0);
    CHECK(programs.files + programs.control == 0);

    auto terminals = f.reach(purpose, {Verb::TERMINALS});
    CHECK(terminals.terminals == 4);
    CHECK(terminals.programs == 0);
    CHECK(terminals.machine == 0);
    CHECK(terminals.files + terminals.control == 0);

    auto machine = f.reach(purpose, {Verb::MACHINE});
    CHECK(machine.machine == 2);
    CHECK(machine.terminals + machine.programs + machine.files + machine.control == 0);

    // Rights of other purposes add nothing.
    auto others = f.reach(purpose, {Verb::READ_FILES, Verb::WRITE_FILES, Verb::CONTROL});
    CHECK(others.terminals + others.programs + others.machine + others.files + others.control == 0);
    // A right to look has what is there to look at, and nothing of what is not.
    auto viewed = f.reach(purpose, {Verb::VIEW_TERMINALS});
    CHECK(viewed.terminals == 0);
    CHECK(viewed.views == 1);
    CHECK(viewed.programs + viewed.machine + viewed.files + viewed.control == 0);
  }
}

TEST_CASE("S25 a lane for files reaches files and nothing else, whatever its grant says") {
  Fixture f;
  auto files = f.reach(rpc::Purpose::FILES, {Verb::READ_FILES, Verb::MACHINE, Verb::TERMINALS,
                                             Verb::PROGRAMS, Verb::CONTROL});
  CHECK(files.files == 1);
  CHECK(files.terminals + files.programs + files.machine + files.control == 0);
}

TEST_CASE("S25 the control lane reaches no terminal, no program and no files") {
  Fixture f;
  auto control = f.reach(rpc::Purpose::CONTROL, {Verb::CONTROL});
  CHECK(control.control > 0);
  CHECK(control.terminals + control.programs + control.files == 0);
}

TEST_CASE("what is done over a lane is noted as of that lane, session and actor") {
  Fixture f;
  RecordingLog log;
  kj::Own<ClientActions> actions;
  auto take = [&](kj::Own<ClientActions> given) { actions = kj::mv(given); };
  Facets facets{[&](auto given) {
                  take(kj::mv(given));
                  return kj::heap<SomeTerminals>(f.reached);
                },
                [&](auto given) {
                  take(kj::mv(given));
                  return kj::heap<SomeProcesses>(f.reached);
                },
                kj::heap<SomeSystem>(f.reached),
                f.files,
                {log, kj::systemCoarseCalendarClock(), noNotes().shares}};
  for (auto verb : {Verb::TERMINALS, Verb::VIEW_TERMINALS, Verb::PROGRAMS}) {
    auto grant = wholeGrant(rpc::Purpose::INTERACTIVE);
    grant.verbs = {verb};
    grant.lane = 100 + static_cast<uint64_t>(verb);
    grant.session = kj::str("session-", grant.lane);
    grant.actor = kj::str("actor-", grant.lane);
    auto agent = newLaneBootstrap(facets, f.lanes, grant).castAs<rpc::Agent>();
    if (verb == Verb::PROGRAMS) {
      agent.processesRequest().send().wait(f.scope);
    } else {
      agent.terminalsRequest().send().wait(f.scope);
    }
    actions->did("done", ProgramKind::TERMINAL, 7);
    auto who = kj::str("\"session\":\"", grant.session, "\",\"actor\":\"", grant.actor,
                       "\",\"lane\":\"", grant.lane, "\"");
    INFO(log.lines.back().cStr());
    CHECK(strstr(log.lines.back().cStr(), who.cStr()) != nullptr);
  }
}

// A clock that nobody sees move.
class SomeClock final: public MachineClock {
public:
  kj::Date time = kj::UNIX_EPOCH + 1000 * kj::DAYS;
  kj::Duration step(kj::Date now) override {
    auto behind = now - time;
    time = now;
    return behind;
  }
};

TEST_CASE(
    "P58 the supervisor sets the machine's clock over its control lane, and is told how far it was "
    "off") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  LaneRegistry lanes(timer);
  SomeClock clock;
  auto woken = [&](kj::Maybe<MachineClock&> given, kj::Date now) {
    auto control = newControlFacet(rpc::System::Client(KJ_EXCEPTION(FAILED, "not here")), lanes,
                                   given, nullptr);
    auto request = control.wakeRequest();
    request.setRealtimeNanos((now - kj::UNIX_EPOCH) / kj::NANOSECONDS);
    return request.send().wait(scope).getBehindNanos();
  };
  const auto now = clock.time + 90 * kj::SECONDS;
  CHECK(woken(clock, now) == 90'000'000'000);
  CHECK(clock.time == now);
  CHECK(woken(clock, now - 1 * kj::SECONDS) == -1'000'000'000);
  // An agent that is no machine's PID 1 leaves the clock alone.
  CHECK(kj::runCatchingExceptions([&]() { woken(nullptr, now); }) != nullptr);
}

}  // namespace
}  // namespace bothy
