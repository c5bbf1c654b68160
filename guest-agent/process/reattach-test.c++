// Programs that are had again over another connection than the one over which they were started.
#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "process/kept-execution-world.h"

namespace bothy {
namespace {

using World = KeptExecutionWorld;

TEST_CASE("P41 a program whose connection breaks is had again, and no byte is lost or doubled") {
  World world;
  world.start("read x; seq 1 300000; seq 1 1000 >&2; read y; echo $x $y; exit 7");
  world.type("one\n");
  for (size_t bytes = 100000; bytes < 1500000; bytes += 200000) {
    world.await(bytes);
    world.lose();
    CHECK(world.reattach() == 4);
  }
  world.type("two\n");
  CHECK(world.exitCode() == 7);
  kj::Vector<char> expected;
  for (uint i = 1; i <= 300000; i++) expected.addAll(kj::str(i, '\n'));
  expected.addAll("one two\n"_kj);
  CHECK(world.out.bytes.asPtr() == expected.asPtr().asBytes());
  CHECK(world.out.ends == 1);
  CHECK(world.err.bytes.size() == 3893);
}

TEST_CASE("P41 output that was on its way and not had comes again") {
  World world;
  auto gate = kj::newPromiseAndFulfiller<void>();
  world.out.gate = gate.promise.fork();
  world.start("seq 1 30000; read x");
  world.await(1000);
  // What was handed over last counts as not had.
  world.lose();
  world.out.gate = nullptr;
  world.out.bytes.clear();
  world.reattach();
  world.type("\n");
  CHECK(world.exitCode() == 0);
  kj::Vector<char> expected;
  for (uint i = 1; i <= 30000; i++) expected.addAll(kj::str(i, '\n'));
  CHECK(world.out.bytes.asPtr() == expected.asPtr().asBytes());
}

TEST_CASE("P41 the end of a program is told to who comes after it") {
  World world;
  world.start("read x; echo said; exit 3");
  world.type("\n");
  world.await(5);
  world.lose();
  while (world.onChildless().poll(world.scope) == false) {
    world.io.provider->getTimer().afterDelay(kj::MILLISECONDS).wait(world.scope);
  }
  world.reattach();
  CHECK(world.exitCode() == 3);
  CHECK(world.out.text() == "said\n");
  CHECK(world.out.ends == 1);
}

TEST_CASE("P41 input that did not arrive is known by how much did") {
  World world;
  world.start("head -c 1 > /dev/null; echo had; sleep 1000");
  // More than a pipe holds: some of it is on its way when the connection breaks.
  auto request = KJ_ASSERT_NONNULL(world.input).writeRequest();
  request.initData(256 * 1024);
  auto writing = request.send();
  world.await(4);
  world.lose();
  auto had = world.reattach();
  CHECK(had > 0);
  CHECK(had < 256 * 1024);
  KJ_ASSERT_NONNULL(world.process).endRequest().send().wait(world.scope);
}

TEST_CASE("an input of before does not write into the middle of the next one's") {
  World world;
  world.start("cat");
  auto before = KJ_ASSERT_NONNULL(world.input);
  world.reattach();
  auto request = before.writeRequest();
  request.setData("late"_kj.asBytes());
  request.send().catch_([](kj::Exception&&) {}).wait(world.scope);
  world.type("now");
  KJ_ASSERT_NONNULL(world.input).endRequest().send().wait(world.scope);
  CHECK(world.exitCode() == 0);
  CHECK(world.out.text() == "now");
}

TEST_CASE("P12 a kept program is ended by `end`, and is nobody's after it") {
  World world;
  world.start("trap 'echo ended; exit' TERM; while :; do sleep 0.01; done");
  KJ_ASSERT_NONNULL(world.process).endRequest().send().wait(world.scope);
  world.exitCode();
  CHECK(world.isAbsent());
}

TEST_CASE("positions that nobody can have had are refused, and change nothing") {
  World world;
  world.start("echo out; read x; echo again");
  world.await(4);
  auto request = world.reattachRequest();
  request.setStdoutFrom(5);
  CHECK_THROWS(request.send().wait(world.scope));
  auto without = world.reattachRequest();
  without.disownStderr();
  CHECK_THROWS(without.send().wait(world.scope));
  world.type("\n");
  CHECK(world.exitCode() == 0);
  CHECK(world.out.text() == "out\nagain\n");
}

TEST_CASE("an id of nobody's is absent") {
  World world;
  world.id = 4711;
  CHECK(world.isAbsent());
}

}  // namespace
}  // namespace bothy
