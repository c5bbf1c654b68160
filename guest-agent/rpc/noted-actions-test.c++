#include "rpc/noted-actions.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

class RecordingLog final: public ActionLog {
public:
  kj::Vector<kj::String> lines;
  void add(kj::StringPtr line) override { lines.add(kj::str(line)); }
};

class SomeTerminals final: public rpc::Terminals::Server {
public:
  bool fails = false;

private:
  kj::Promise<void> open(OpenContext context) override {
    auto results = context.initResults();
    if (fails) {
      results.initOutcome().initFailed();
    } else {
      results.setId(3);
      results.initOutcome().setOpened();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> list(ListContext context) override {
    context.getResults().initTerminals(2);
    return kj::READY_NOW;
  }
};

class SomeProcesses final: public rpc::Processes::Server {
  kj::Promise<void> exec(ExecContext context) override {
    const bool keep = context.getParams().getKeep();
    context.releaseParams();
    auto results = context.initResults();
    if (keep) results.setId(77);
    results.initOutcome().setStarted();
    return kj::READY_NOW;
  }
};

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  RecordingLog log;
  SomeTerminals terminals;
  SomeProcesses processes;
  class SomeSystem final: public rpc::System::Server {
  public:
    explicit SomeSystem(RecordingLog& log) : log(log) {}
    size_t linesBefore = 0;

  private:
    RecordingLog& log;
    kj::Promise<void> powerOff(PowerOffContext) override {
      linesBefore = log.lines.size();
      return kj::READY_NOW;
    }
    kj::Promise<void> health(HealthContext) override { return kj::READY_NOW; }
  } system{log};
  struct FixedClock final: public kj::Clock {
    kj::Date now() const override { return kj::UNIX_EPOCH; }
  } clock;

  kj::Own<LaneNotes> notes() {
    LaneGrant grant;
    grant.lane = 12;
    grant.session = kj::str("s-1");
    grant.actor = kj::str("ann");
    return kj::refcounted<LaneNotes>(ActionNotes{log, clock}, grant);
  }
  template <typename Request>
  auto call(Request request) {
    return request.send().wait(io.waitScope);
  }
  static constexpr kj::StringPtr BEGIN = "{\"time\":\"1970-01-01T00:00:00.000Z\",\"what\":"_kj;
  static constexpr kj::StringPtr WHO = ",\"session\":\"s-1\",\"actor\":\"ann\",\"lane\":\"12\""_kj;
};

TEST_CASE("a terminal and a program are noted with who began them, and calls pass") {
  World w;
  auto terminals = noteTerminals(w.terminals, w.notes());
  auto open = terminals.openRequest();
  open.initCommand().setUser("bob");
  CHECK(w.call(kj::mv(open)).getId() == 3);
  CHECK(w.call(terminals.listRequest()).getTerminals().size() == 2);
  auto processes = notePrograms(w.processes, w.notes());
  auto exec = processes.execRequest();
  auto argv = exec.initCommand().initArgv(2);
  argv.set(0, "make");
  argv.set(1, "all");
  w.call(kj::mv(exec));
  auto kept = processes.execRequest();
  kept.initCommand().initArgv(1).set(0, "top");
  kept.setKeep(true);
  CHECK(w.call(kj::mv(kept)).getId() == 77);
  REQUIRE(w.log.lines.size() == 3);
  CHECK(w.log.lines[0] == kj::str(w.BEGIN, "\"terminal opened\"", w.WHO,
                                  ",\"user\":\"bob\",\"command\":[],\"terminal\":\"3\"}\n"));
  CHECK(w.log.lines[1] == kj::str(w.BEGIN, "\"program started\"", w.WHO,
                                  ",\"user\":\"\",\"command\":[\"make\",\"all\"]}\n"));
  CHECK(w.log.lines[2] == kj::str(w.BEGIN, "\"program started\"", w.WHO,
                                  ",\"user\":\"\",\"command\":[\"top\"],\"program\":\"77\"}\n"));
}

TEST_CASE("what did not begin is not noted") {
  World w;
  w.terminals.fails = true;
  w.call(noteTerminals(w.terminals, w.notes()).openRequest());
  CHECK(w.log.lines.size() == 0);
}

TEST_CASE("that the machine is to end is noted before it does") {
  World w;
  auto system = noteMachine(w.system, w.notes());
  w.call(system.healthRequest());
  CHECK(w.log.lines.size() == 0);
  w.call(system.powerOffRequest());
  REQUIRE(w.log.lines.size() == 1);
  CHECK(w.log.lines[0] == kj::str(w.BEGIN, "\"machine is powered off\"", w.WHO, "}\n"));
  CHECK(w.system.linesBefore == 1);
}

TEST_CASE("a command of a hundred thousand arguments makes a short note") {
  World w;
  auto exec = notePrograms(w.processes, w.notes()).execRequest();
  auto argv = exec.initCommand().initArgv(100 * 1000);
  argv.set(0, "echo");
  w.call(kj::mv(exec));
  REQUIRE(w.log.lines.size() == 1);
  CHECK(w.log.lines[0].size() < 2048);
}

}  // namespace
}  // namespace bothy
