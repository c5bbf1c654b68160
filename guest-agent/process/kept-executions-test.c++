// Which programs are kept for their clients, for how long, and with how much output.
#include "process/kept-executions.h"

#include <signal.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/kept-execution-world.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using World = KeptExecutionWorld;

TEST_CASE("P12 a program that nobody comes for is ended when its time is over, and not before") {
  constexpr auto KEEP = rpc::PROCESS_KEEP_MILLIS * kj::MILLISECONDS;
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  World world(timer);
  world.start("echo runs; exec sleep 1000");
  world.await(5);
  world.lose();
  timer.advanceTo(timer.now() + KEEP - 1 * kj::NANOSECONDS);
  world.scope.poll();
  world.reattach();
  // Held again: no time is counted.
  timer.advanceTo(timer.now() + 10 * KEEP);
  world.scope.poll();
  world.lose();
  auto childless = world.onChildless();
  CHECK_FALSE(childless.poll(world.scope));
  timer.advanceTo(timer.now() + KEEP);
  childless.wait(world.scope);
  CHECK(world.isAbsent());
}

TEST_CASE("of programs that ended the last are kept") {
  World world;
  world.start("exit 1");
  auto first = world.id;
  world.exitCode();
  for (uint i = 0; i < rpc::MAX_ENDED_PROCESSES; i++) {
    world.start("exit 2");
    world.exitCode();
  }
  world.process = nullptr;
  world.scope.poll();
  auto last = world.id;
  world.id = first;
  CHECK(world.isAbsent());
  world.id = last;
  world.out.restart();
  world.reattach();
  CHECK(world.exitCode() == 2);
}

constexpr uint OUTPUT_BYTES = 500000;
// So many outputs of that size are kept whole.
constexpr uint FIT = LEAST_OUTPUT_BYTES / (512 * 1024);

// Programs that were held until they had ended and all was had of them, and are held on.
struct ThroughWorld {
  World world;
  kj::Vector<rpc::Process::Client> held;
  kj::Vector<uint64_t> ids;

  void add(uint count) {
    for (uint i = 0; i < count; i++) {
      world.out.restart();
      world.start(kj::str("head -c ", OUTPUT_BYTES, " /dev/zero; exit 4"));
      CHECK(world.exitCode() == 4);
      ids.add(world.id);
      held.add(KJ_ASSERT_NONNULL(world.process));
    }
    world.scope.poll();
  }
  // What is missing of it.
  uint64_t lostOf(uint64_t id) {
    world.out.restart();
    world.id = id;
    world.reattach();
    CHECK(world.exitCode() == 4);
    CHECK(world.out.ends == 1);
    CHECK(world.out.lost + world.out.bytes.size() == OUTPUT_BYTES);
    return world.out.lost;
  }
};

TEST_CASE(
    "S01 S42 outputs that are kept have together what the budget gives, and no program is "
    "forgotten for it") {
  ThroughWorld w;
  w.add(FIT + 3);
  CHECK(w.world.programs->outputs.held() <= LEAST_OUTPUT_BYTES);
  uint whole = 0;
  for (auto id : w.ids) whole += w.lostOf(id) == 0 ? 1 : 0;
  CHECK(whole < FIT);
  CHECK(whole > FIT / 2);
}

TEST_CASE("P41 an output that has yet to arrive is kept before those that are through") {
  ThroughWorld w;
  w.add(1);
  Collected slow;
  auto gate = kj::newPromiseAndFulfiller<void>();
  slow.endGate = gate.promise.fork();
  auto request = w.world.processes.execRequest();
  setShell(request.initCommand(), kj::str("head -c ", OUTPUT_BYTES, " /dev/zero; exit 4"));
  request.setStdout(collectInto(slow));
  request.setStderr(collectInto(w.world.err));
  request.setKeep(true);
  auto owed = request.send().wait(w.world.scope);
  // How it ended is told before it is known that its output was had.
  auto asking = owed.getProcess().waitRequest();
  asking.setAnswersToEnd(rpc::Process::AnswersToEnd::NOT_AWAITED);
  CHECK(asking.send().wait(w.world.scope).getStatus().getExited() == 4);
  // More than fit, and more than half of each.
  w.add(3 * FIT);
  CHECK(w.lostOf(w.ids[0]) > 0);
  CHECK(w.lostOf(owed.getId()) == 0);
}

// Programs that have ended and are held, each with a child that has yet to write.  Their outputs linger, for their time
// stands still.
struct LingeringWorld {
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Array<Collected> outs;
  World world{timer};
  kj::Vector<capnp::Response<rpc::Processes::ExecResults>> held;

  LingeringWorld(uint count, kj::StringPtr child) : outs(kj::heapArray<Collected>(count)) {
    const auto script = kj::str("exec 3<&0; (read x <&3; ", child, "; read x <&3) & exit 4");
    for (auto& out : outs) {
      auto request = world.processes.execRequest();
      setShell(request.initCommand(), script);
      request.setStdout(collectInto(out));
      request.setStderr(collectInto(world.err));
      request.setKeep(true);
      held.add(request.send().wait(world.scope));
    }
    for (auto& one : held) {
      const auto pid = one.getProcess().infoRequest().send().wait(world.scope).getPid();
      world.TestWorld::await([pid]() { return kill(pid, 0) != 0; });
    }
    world.scope.poll();
  }
  void letWrite(uint i, size_t bytes) {
    auto request = held[i].getStdin().writeRequest();
    request.setData("\n"_kj.asBytes());
    request.send().wait(world.scope);
    world.TestWorld::await(outs[i], bytes);
    world.scope.poll();
  }
  // How many are not forgotten.
  uint countHad() {
    uint had = 0;
    for (uint i = 0; i < held.size(); i++) {
      auto request = world.processes.reattachRequest();
      request.setId(held[i].getId());
      request.setStdout(collectInto(outs[i]));
      request.setStdoutFrom(outs[i].bytes.size());
      request.setStderr(collectInto(world.err));
      if (request.send().wait(world.scope).getOutcome().isAttached()) had++;
    }
    return had;
  }
};

TEST_CASE("S01 a program is not forgotten for output that what it left might write") {
  constexpr uint COUNT = 24;
  LingeringWorld lingering(COUNT, "echo hello");
  CHECK(lingering.countHad() == COUNT);
}

TEST_CASE("S01 output that what a program left writes after its end is bounded with the rest") {
  LingeringWorld lingering(FIT + 3, kj::str("head -c ", OUTPUT_BYTES, " /dev/zero"));
  for (uint i = 0; i < FIT + 3; i++) lingering.letWrite(i, OUTPUT_BYTES);
  CHECK(lingering.world.programs->outputs.held() <= LEAST_OUTPUT_BYTES);
  CHECK(lingering.countHad() == FIT + 3);
}

// Starts a program that ends with `code` when nobody holds it any more; its id.
uint64_t endUnheld(World& world, int code) {
  world.out.restart();
  world.start(kj::str("printf $$; read x; exit ", code));
  world.await(1);
  const auto pid = kj::heapString(world.out.bytes.asPtr().asChars()).parseAs<int>();
  auto input = KJ_ASSERT_NONNULL(world.input);
  world.process = nullptr;
  world.scope.poll();
  input.endRequest().send().wait(world.scope);
  world.input = nullptr;
  // Those that follow end after it, and write after its output has ended.
  world.TestWorld::await([&]() { return kill(pid, 0) != 0 && world.out.ends > 0; });
  return world.id;
}

TEST_CASE("a kept program that ends when nobody holds it counts among those that ended") {
  World world;
  auto first = endUnheld(world, 1);
  for (uint i = 0; i < rpc::MAX_ENDED_PROCESSES; i++) endUnheld(world, 2);
  world.scope.poll();
  world.id = first;
  CHECK(world.isAbsent());
}

TEST_CASE("P41 a program whose end nobody was told is kept before all that were told theirs") {
  World world;
  auto first = endUnheld(world, 1);
  for (uint i = 0; i < 2 * rpc::MAX_ENDED_PROCESSES; i++) {
    world.start("exit 2");
    world.exitCode();
  }
  world.process = nullptr;
  world.scope.poll();
  world.id = first;
  world.out.restart();
  world.reattach();
  CHECK(world.exitCode() == 1);
}

TEST_CASE("how many programs run is told when one begins and when it ends") {
  World world;
  HeardPrograms heard;
  world.programs->listener = heard;
  world.start("read x; exit 2");
  CHECK(heard.running == RunningPrograms{.commands = 1});
  world.type("\n");
  CHECK(world.exitCode() == 2);
  CHECK(heard.running == RunningPrograms());
  CHECK(heard.ends == 1);
  world.start("sleep 1000");
  CHECK(heard.running == RunningPrograms{.commands = 1});
  KJ_ASSERT_NONNULL(world.process).endRequest().send().wait(world.scope);
  world.TestWorld::await([&]() { return heard.ends == 2; });
  CHECK(heard.running == RunningPrograms());
  world.programs->listener = nullptr;
}

}  // namespace
}  // namespace bothy
