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
  auto childless = world.host->reaper.onChildless();
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

TEST_CASE("S01 programs that are held after their end keep so much output together, and no more") {
  constexpr uint OUTPUT_BYTES = 500000;
  constexpr uint FIT = rpc::MAX_HELD_OUTPUT_BYTES / OUTPUT_BYTES;
  World world;
  struct Held {
    uint64_t id;
    rpc::Process::Client process;
  };
  kj::Vector<Held> held;
  auto script = kj::str("head -c ", OUTPUT_BYTES, " /dev/zero; exit 4");

  // This one runs, and does not count.
  auto gate = kj::newPromiseAndFulfiller<void>();
  Collected slow;
  slow.gate = gate.promise.fork();
  auto request = world.processes.execRequest();
  setShell(request.initCommand(), kj::str("head -c ", OUTPUT_BYTES, " /dev/zero; read line"));
  request.setStdout(collectInto(slow));
  request.setKeep(true);
  auto slowOne = request.send().wait(world.scope);

  for (uint i = 0; i < FIT + 3; i++) {
    world.out.restart();
    world.start(script);
    // Of the second nobody is told how it ended.
    if (i != 1) CHECK(world.exitCode() == 4);
    world.await(OUTPUT_BYTES);
    while (world.out.ends == 0) world.scope.poll();
    held.add(Held{world.id, KJ_ASSERT_NONNULL(world.process)});
  }
  world.scope.poll();
  size_t had = 0;
  for (auto& one : held) {
    world.out.restart();
    world.id = one.id;
    auto request = world.reattachRequest();
    request.setStdoutFrom(OUTPUT_BYTES);
    if (request.send().wait(world.scope).getOutcome().isAttached()) had++;
    auto response = one.process.waitRequest().send().wait(world.scope);
    CHECK(response.getStatus().getExited() == 4);
  }
  CHECK(had == FIT);
  world.id = held[0].id;
  CHECK(world.isAbsent());
  world.id = held[1].id;
  CHECK_FALSE(world.isAbsent());

  gate.fulfiller->fulfill();
  slowOne.getStdin().endRequest().send().wait(world.scope);
  slowOne.getProcess().waitRequest().send().wait(world.scope);
  CHECK(slow.bytes.size() == OUTPUT_BYTES);
  CHECK(slow.ends == 1);
}

// Takes all, and never says that it has had the end.
class Unending final: public rpc::ByteSink::Server {
public:
  explicit Unending(size_t& bytes) : bytes(bytes) {}
  kj::Promise<void> write(WriteContext context) override {
    bytes += context.getParams().getData().size();
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext) override { return kj::NEVER_DONE; }

private:
  size_t& bytes;
};

TEST_CASE(
    "S01 sinks that never take the end, or what they asked for again, do not keep more output") {
  constexpr uint OUTPUT_BYTES = 500000;
  constexpr uint FIT = rpc::MAX_HELD_OUTPUT_BYTES / OUTPUT_BYTES;
  World world;
  world.start(kj::str("head -c ", OUTPUT_BYTES, " /dev/zero; read line; exit 6"));
  world.await(OUTPUT_BYTES);
  const auto first = world.id;
  auto gate = kj::newPromiseAndFulfiller<void>();
  Collected slow;
  slow.gate = gate.promise.fork();
  auto again = world.processes.reattachRequest();
  again.setId(first);
  again.setStdout(collectInto(slow));
  again.setStderr(collectInto(world.err));
  auto lagging = again.send().wait(world.scope);
  world.process = nullptr;
  lagging.getStdin().endRequest().send().wait(world.scope);

  kj::Vector<capnp::Response<rpc::Processes::ExecResults>> held;
  size_t bytes = 0;
  for (uint i = 0; i < FIT + 3; i++) {
    auto request = world.processes.execRequest();
    setShell(request.initCommand(), kj::str("head -c ", OUTPUT_BYTES, " /dev/zero"));
    request.setStdout(kj::heap<Unending>(bytes));
    request.setKeep(true);
    held.add(request.send().wait(world.scope));
    while (bytes < (i + 1) * OUTPUT_BYTES) {
      world.io.provider->getTimer().afterDelay(kj::MILLISECONDS).wait(world.scope);
    }
  }
  world.host->reaper.onChildless().wait(world.scope);
  world.scope.poll();
  auto isHad = [&](uint64_t id) {
    auto request = world.processes.reattachRequest();
    request.setId(id);
    request.setStdout(kj::heap<Unending>(bytes));
    request.setStdoutFrom(OUTPUT_BYTES);
    return request.send().wait(world.scope).getOutcome().isAttached();
  };
  CHECK_FALSE(isHad(first));
  CHECK_FALSE(isHad(held[2].getId()));
  CHECK(isHad(held[3].getId()));
  auto waiting = lagging.getProcess().waitRequest().send();
  REQUIRE(waiting.poll(world.scope));
  auto failure = kj::runCatchingExceptions([&]() { waiting.wait(world.scope); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::OVERLOADED);
  gate.fulfiller->fulfill();
  world.scope.poll();
  CHECK(slow.ends == 0);
}

// Programs that have ended and are held, each with a child that has yet to write.  Their outputs linger, for the time of the host
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
  constexpr uint OUTPUT_BYTES = 500000;
  constexpr uint FIT = rpc::MAX_HELD_OUTPUT_BYTES / OUTPUT_BYTES;
  LingeringWorld lingering(FIT + 3, kj::str("head -c ", OUTPUT_BYTES, " /dev/zero"));
  for (uint i = 0; i < FIT + 3; i++) lingering.letWrite(i, OUTPUT_BYTES);
  CHECK(lingering.countHad() == FIT);
}

TEST_CASE("P41 a program whose output has yet to arrive is kept before those that are through") {
  constexpr uint OUTPUT_BYTES = 500000;
  constexpr uint FIT = rpc::MAX_HELD_OUTPUT_BYTES / OUTPUT_BYTES;
  World world;
  const auto script = kj::str("head -c ", OUTPUT_BYTES, " /dev/zero; exit 4");
  Collected slow;
  auto gate = kj::newPromiseAndFulfiller<void>();
  slow.endGate = gate.promise.fork();
  auto request = world.processes.execRequest();
  setShell(request.initCommand(), script);
  request.setStdout(collectInto(slow));
  request.setStderr(collectInto(world.err));
  request.setKeep(true);
  auto first = request.send().wait(world.scope);
  // How it ended is told before it is known that its output was had.
  auto asking = first.getProcess().waitRequest();
  asking.setAnswersToEnd(rpc::Process::AnswersToEnd::NOT_AWAITED);
  CHECK(asking.send().wait(world.scope).getStatus().getExited() == 4);

  kj::Vector<rpc::Process::Client> held;
  kj::Vector<uint64_t> ids;
  for (uint i = 0; i < FIT + 1; i++) {
    world.out.restart();
    world.start(script);
    CHECK(world.exitCode() == 4);
    ids.add(world.id);
    held.add(KJ_ASSERT_NONNULL(world.process));
  }
  world.scope.poll();
  auto isHad = [&](uint64_t id) {
    world.id = id;
    auto again = world.reattachRequest();
    again.setStdoutFrom(OUTPUT_BYTES);
    return again.send().wait(world.scope).getOutcome().isAttached();
  };
  CHECK(isHad(first.getId()));
  CHECK_FALSE(isHad(ids[0]));
  CHECK(isHad(ids.back()));
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

}  // namespace
}  // namespace bothy
