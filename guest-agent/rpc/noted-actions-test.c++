#include "rpc/noted-actions.h"

#include <capnp/message.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "rpc/test-notes.h"

namespace bothy {
namespace {

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  RecordingLog log;
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
    kj::Promise<void> reboot(RebootContext) override {
      linesBefore = log.lines.size();
      return kj::READY_NOW;
    }
    kj::Promise<void> health(HealthContext) override { return kj::READY_NOW; }
  } system{log};
  struct FixedClock final: public kj::Clock {
    kj::Date time = kj::UNIX_EPOCH;
    kj::Date now() const override { return time; }
  } clock;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  ActionShares shares{log, timer, clock};
  capnp::MallocMessageBuilder message;

  LaneGrant grant() {
    LaneGrant grant;
    grant.lane = 12;
    grant.session = kj::str("s-1");
    grant.actor = kj::str("ann");
    return grant;
  }
  kj::Own<LaneNotes> notes() {
    return kj::refcounted<LaneNotes>(ActionNotes{log, clock, shares}, grant());
  }
  rpc::Command::Reader command(kj::StringPtr user, kj::ArrayPtr<const kj::StringPtr> texts) {
    auto result = message.initRoot<rpc::Command>();
    result.setUser(user);
    auto argv = result.initArgv(texts.size());
    for (auto i : kj::indices(texts)) argv.set(i, texts[i]);
    return result.asReader();
  }
  template <typename Request>
  auto call(Request request) {
    return request.send().wait(io.waitScope);
  }
  kj::String line(kj::StringPtr what, kj::StringPtr rest) {
    return kj::str("{\"time\":\"1970-01-01T00:00:00.000Z\",\"what\":\"", what,
                   "\",\"session\":\"s-1\",\"actor\":\"ann\",\"lane\":\"12\"", rest, "}\n");
  }
};

TEST_CASE("a terminal and a program are noted with who began them") {
  World w;
  auto notes = w.notes();
  notes->asked(ProgramKind::TERMINAL, w.command("bob", nullptr))->started(3);
  const kj::StringPtr make[] = {"make"_kj, "all"_kj};
  notes->asked(ProgramKind::COMMAND, w.command("", make))->started(0);
  const kj::StringPtr top[] = {"top"_kj};
  notes->asked(ProgramKind::COMMAND, w.command("", top))->started(77);
  REQUIRE(w.log.lines.size() == 3);
  CHECK(w.log.lines[0] ==
        w.line("terminal opened", ",\"user\":\"bob\",\"command\":[],\"terminal\":\"3\""));
  CHECK(w.log.lines[1] ==
        w.line("program started", ",\"user\":\"\",\"command\":[\"make\",\"all\"]"));
  CHECK(w.log.lines[2] ==
        w.line("program started", ",\"user\":\"\",\"command\":[\"top\"],\"program\":\"77\""));
}

TEST_CASE("what did not begin is not noted, and what was given up is") {
  World w;
  w.notes()->asked(ProgramKind::TERMINAL, w.command("", nullptr))->failed();
  CHECK(w.log.lines.size() == 0);
  w.notes()->asked(ProgramKind::COMMAND, w.command("", nullptr));
  REQUIRE(w.log.lines.size() == 1);
  CHECK(w.log.lines[0] ==
        w.line("program started", ",\"user\":\"\",\"command\":[],\"outcome\":\"given up\""));
}

TEST_CASE("what is done to a terminal is noted with its number") {
  World w;
  w.notes()->did("terminal closed", ProgramKind::TERMINAL, 5);
  REQUIRE(w.log.lines.size() == 1);
  CHECK(w.log.lines[0] == w.line("terminal closed", ",\"terminal\":\"5\""));
}

TEST_CASE("S42 of what one lane does to terminals so much is noted a minute") {
  World w;
  auto notes = w.notes();
  auto look = [&]() { notes->did("terminal looked at", ProgramKind::TERMINAL, 5); };
  for (uint i = 0; i < LaneNotes::MAX_DEEDS + 7; i++) look();
  CHECK(w.log.lines.size() == LaneNotes::MAX_DEEDS);
  // A start is noted all the same.
  notes->asked(ProgramKind::TERMINAL, w.command("bob", nullptr))->started(3);
  CHECK(w.log.lines.size() == LaneNotes::MAX_DEEDS + 1);
  w.clock.time += LaneNotes::DEEDS_PERIOD;
  look();
  REQUIRE(w.log.lines.size() == LaneNotes::MAX_DEEDS + 3);
  CHECK(
      strstr(w.log.lines[LaneNotes::MAX_DEEDS + 1].cStr(),
             "\"what\":\"actions left out\",\"session\":\"s-1\",\"actor\":\"ann\",\"lane\":\"12\","
             "\"count\":7") != nullptr);
  for (uint i = 0; i < LaneNotes::MAX_DEEDS; i++) look();
  // The rest is told with the lane's end.
  notes = nullptr;
  CHECK(strstr(w.log.lines.back().cStr(), "\"count\":1}") != nullptr);
}

TEST_CASE("a lane for files is noted when it begins and when it ends, with what was counted") {
  World w;
  auto grant = w.grant();
  grant.user = kj::str("bob");
  grant.verbs = {rpc::Verb::READ_BENEATH};
  grant.beneath = kj::heapArray<const kj::byte>("/home/bob"_kj.asBytes());
  auto note = kj::heap<FileLaneNote>(ActionNotes{w.log, w.clock, w.shares}, grant);
  REQUIRE(w.log.lines.size() == 1);
  CHECK(w.log.lines[0] ==
        w.line("files opened", ",\"user\":\"bob\",\"access\":\"read\",\"beneath\":\"/home/bob\""));
  SECTION("its counts are known") {
    note->count(
        {.filesRead = 1, .filesWritten = 2, .bytesRead = 3, .bytesWritten = 4, .changes = 5});
    note = nullptr;
    CHECK(w.log.lines.back() == w.line("files closed",
                                       ",\"filesRead\":1,\"bytesRead\":3,\"filesWritten\":2,"
                                       "\"bytesWritten\":4,\"changes\":5"));
  }
  SECTION("nobody says what was done") {
    note = nullptr;
    CHECK(w.log.lines.back() ==
          w.line("files closed", ",\"outcome\":\"what was done is not known\""));
  }
  CHECK(w.log.lines.size() == 2);
}

TEST_CASE(
    "S42 of the lanes for files of one actor so many are noted a minute, however many lanes they "
    "are") {
  World w;
  const auto grant = w.grant();
  auto open = [&]() {
    auto note = kj::heap<FileLaneNote>(ActionNotes{w.log, w.clock, w.shares}, grant);
    note->count({});
  };
  for (uint i = 0; i < ActionShares::MAX_OF_ACTOR + 5; i++) open();
  // Both ends of each.
  CHECK(w.log.lines.size() == 2 * ActionShares::MAX_OF_ACTOR);
  w.timer.advanceTo(w.timer.now() + ActionShares::PERIOD);
  w.io.waitScope.poll();
  REQUIRE(w.log.lines.size() == 2 * ActionShares::MAX_OF_ACTOR + 1);
  CHECK(w.log.lines.back() ==
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"what\":\"actions left out\","
        "\"actor\":\"ann\",\"count\":5}\n");
  open();
  CHECK(w.log.lines.size() == 2 * ActionShares::MAX_OF_ACTOR + 3);
}

TEST_CASE("that the machine is to end is noted before it does") {
  World w;
  auto system = noteMachine(w.system, w.notes());
  w.call(system.healthRequest());
  CHECK(w.log.lines.size() == 0);
  w.call(system.powerOffRequest());
  REQUIRE(w.log.lines.size() == 1);
  CHECK(w.log.lines[0] == w.line("machine is powered off", ""));
  CHECK(w.system.linesBefore == 1);
  w.call(system.rebootRequest());
  REQUIRE(w.log.lines.size() == 2);
  CHECK(w.log.lines[1] == w.line("machine is rebooted", ""));
  CHECK(w.system.linesBefore == 2);
}

TEST_CASE("a command of a hundred thousand arguments makes a short note") {
  World w;
  auto argv = w.message.initRoot<rpc::Command>().initArgv(100 * 1000);
  argv.set(0, "echo");
  w.notes()->asked(ProgramKind::COMMAND, w.message.getRoot<rpc::Command>().asReader())->started(0);
  REQUIRE(w.log.lines.size() == 1);
  CHECK(w.log.lines[0].size() < 2048);
}

}  // namespace
}  // namespace bothy
