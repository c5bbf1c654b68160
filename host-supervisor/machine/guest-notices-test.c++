#include "machine/guest-notices.h"

#include <capnp/message.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct TestClock final: public kj::MonotonicClock {
  kj::TimePoint time = kj::origin<kj::TimePoint>();
  kj::TimePoint now() const override { return time; }
};

struct World {
  TestClock clock;
  kj::Vector<kj::String> told;
  GuestNotices notices{
      clock, [this](Cause cause, kj::StringPtr detail) { told.add(kj::str(cause, ": ", detail)); }};

  void hear(kj::Function<void(rpc::AgentEvent::Builder)> fill) {
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<rpc::AgentEvent>();
    fill(event);
    notices.hear(event);
  }
  void kill(uint32_t pid, kj::StringPtr name, uint32_t program) {
    hear([&](auto event) {
      auto victim = event.initOutOfMemory();
      victim.setPid(pid);
      victim.setName(name);
      victim.setProgram(program);
    });
  }
};

TEST_CASE(
    "P32 P58 what an agent reports is a line for people, and equal where nothing else is known") {
  World w;
  w.kill(7, "dd", 7);
  w.kill(9, "dd", 9);
  w.kill(9, "dd", 7);
  w.hear([](auto event) {
    auto program = event.initProgramEnded();
    program.setKind(rpc::ProgramEnded::Kind::TERMINAL);
    program.setName("-bash");
    program.initStatus().setKilled(9);
    program.getStatus().initUsage().setOutOfMemory(1);
  });
  w.hear([](auto event) {
    auto disk = event.initDiskFilling();
    disk.setUsedBytes(950ull << 20);
    disk.setTotalBytes(1000ull << 20);
  });
  w.hear([](auto event) { event.setLaneEnded(); });
  w.hear([](auto event) { event.initPortOpened().setNumber(8080); });
  w.hear([](auto event) {
    auto port = event.initPortClosed();
    port.setNumber(8080);
    port.setLoopback(true);
  });
  REQUIRE(w.told.size() == 7);
  CHECK(w.told[0] == "out of memory: dd");
  CHECK(w.told[1] == w.told[0]);
  CHECK(w.told[2] == "out of memory: dd, of the program with pid 7");
  CHECK(w.told[3] == "program ended: terminal -bash: killed by signal 9, out of memory");
  CHECK(w.told[5] == "port opened: 8080");
  CHECK(w.told[6] == "port closed: 8080, from within alone");
  CHECK(w.told[4] == "disk filling: 94 % of 1000 MiB are used");
}

TEST_CASE("the last activity of a machine is kept, whatever its agent says, and is no event") {
  World w;
  CHECK(w.notices.activity() == nullptr);
  auto tell = [&](uint64_t sinceMillis, uint32_t commands) -> const GuestActivity& {
    w.hear([&](auto event) {
      auto activity = event.initActivity();
      activity.getInput().setSinceMillis(sinceMillis);
      activity.setCommands(commands);
      activity.setTerminals(1);
    });
    return KJ_REQUIRE_NONNULL(w.notices.activity());
  };
  w.clock.time += 1 * kj::HOURS;
  auto& first = tell(3000, 2);
  CHECK(w.clock.time - KJ_REQUIRE_NONNULL(first.lastInput) == 3 * kj::SECONDS);
  CHECK(first.commands == 2);
  CHECK(first.terminals == 1);
  CHECK(KJ_REQUIRE_NONNULL(tell(UINT64_MAX, 0).lastInput) < w.clock.time);
  w.hear([](auto event) { event.initActivity().setCommands(1); });
  CHECK(KJ_REQUIRE_NONNULL(w.notices.activity()).lastInput == nullptr);
  CHECK(w.told.empty());
}

TEST_CASE("P26 P27 a command that has ended runs no more, though its agent tells of that later") {
  World w;
  auto end = [&](rpc::ProgramEnded::Kind kind) {
    w.hear([&](auto event) { event.initProgramEnded().setKind(kind); });
  };
  // Before anything was told of what runs.
  end(rpc::ProgramEnded::Kind::COMMAND);
  CHECK(w.notices.activity() == nullptr);
  w.hear([](auto event) {
    event.initActivity().setCommands(1);
    event.getActivity().setTerminals(1);
  });
  auto told = [&]() -> const GuestActivity& { return KJ_REQUIRE_NONNULL(w.notices.activity()); };
  CHECK(KJ_REQUIRE_NONNULL(told().lastCommand) == w.clock.time);
  w.clock.time += 10 * kj::SECONDS;
  end(rpc::ProgramEnded::Kind::TERMINAL);
  CHECK((told().commands == 1 && told().terminals == 0));
  CHECK(KJ_REQUIRE_NONNULL(told().lastCommand) < w.clock.time);
  end(rpc::ProgramEnded::Kind::COMMAND);
  CHECK(told().commands == 0);
  CHECK(KJ_REQUIRE_NONNULL(told().lastCommand) == w.clock.time);
  end(rpc::ProgramEnded::Kind::COMMAND);
  CHECK(told().commands == 0);
}

TEST_CASE(
    "P26 S01 wake locks of a guest's programs are known, for no longer than there may be one") {
  World w;
  auto tell = [&](uint32_t wakes, uint64_t leftMillis) -> const GuestActivity& {
    w.hear([&](auto event) {
      auto activity = event.initActivity();
      activity.setWakes(wakes);
      auto longest = activity.initLongestWake();
      longest.setUid(1000);
      longest.setLabel(kj::str("a\nb", kj::repeat('x', 100)));
      longest.setLeftMillis(leftMillis);
    });
    return KJ_REQUIRE_NONNULL(w.notices.activity());
  };
  w.clock.time += 1 * kj::HOURS;
  auto& told = tell(2, 5000);
  CHECK((told.wakes == 2 && told.wakeUid == 1000));
  CHECK(told.wakeUntil == w.clock.time + 5 * kj::SECONDS);
  CHECK(told.wakeLabel.startsWith("a\\"));
  CHECK(told.wakeLabel.size() < 2 * rpc::MAX_WAKE_LABEL_BYTES);
  CHECK(tell(1, UINT64_MAX).wakeUntil <= w.clock.time + 30 * kj::DAYS);
  w.clock.time += 1 * kj::HOURS;
  auto& over = tell(0, 0);
  CHECK((over.wakes == 0 && KJ_REQUIRE_NONNULL(over.lastWake) == w.clock.time));
  w.clock.time += 1 * kj::HOURS;
  CHECK(KJ_REQUIRE_NONNULL(tell(0, 0).lastWake) == w.clock.time - 1 * kj::HOURS);
}

TEST_CASE(
    "S01 a guest that reports without end is passed on at a pace, its words escaped and cut") {
  World w;
  auto name = kj::str("\x1b[2J", kj::repeat('x', 5000));
  for (kj::uint i = 0; i < 3 * MOST_MEMORY_NOTICES; i++) w.kill(1, name, 0);
  REQUIRE(w.told.size() == MOST_MEMORY_NOTICES);
  CHECK(w.told[0].size() < 2 * rpc::MAX_EVENT_NAME_BYTES);
  for (char c : w.told[0]) CHECK(c >= ' ');
  w.clock.time += NOTICE_PERIOD;
  w.kill(1, "dd", 0);
  CHECK(w.told.back() ==
        kj::str("out of memory: dd (", 2 * MOST_MEMORY_NOTICES, " more before it are left out)"));
  w.hear([](auto event) { event.initDiskFilling().setUsedBytes(1); });
  CHECK(w.told.back() == "disk filling: 0 % of 0 MiB are used");
}

}  // namespace
}  // namespace bothy
