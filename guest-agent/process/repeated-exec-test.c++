// `exec` with a request id: repeated by a client that did not get the answer.

#include <signal.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/requested-starts.h"
#include "process/test-actions.h"
#include "process/test-world.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr auto KEEP = rpc::PROCESS_KEEP_MILLIS * kj::MILLISECONDS;
constexpr auto MEMORY = rpc::REQUEST_MEMORY_MILLIS * kj::MILLISECONDS;

struct World: public TestWorld {
  explicit World(kj::Maybe<kj::Timer&> timer = nullptr)
      : TestWorld(Trees::CGROUPS_IF_POSSIBLE, timer) {}

  rpc::Processes::Client facet = newProcessesFacet(*programs);
  rpc::Processes::Client processes = connect<rpc::Processes>(facet);
  Collected out;
  Collected err;

  // Each program writes a line into ~/starts first.
  auto request(kj::StringPtr requestId, kj::StringPtr script) {
    auto result = processes.execRequest();
    setShell(result.initCommand(), kj::str("echo >> ~/starts; ", script));
    result.setStdout(collectInto(out));
    result.setStderr(collectInto(err));
    result.setStdoutFrom(out.bytes.size());
    result.setStderrFrom(err.bytes.size());
    result.setKeep(true);
    result.setRequestId(requestId);
    return result;
  }
  using Answer = capnp::Response<rpc::Processes::ExecResults>;
  Answer exec(kj::StringPtr requestId, kj::StringPtr script) {
    auto answer = request(requestId, script).send().wait(scope);
    REQUIRE(answer.getOutcome().isStarted());
    return answer;
  }
  int exitCode(Answer& answer) {
    auto response = answer.getProcess().waitRequest().send().wait(scope);
    return response.getStatus().isExited() ? response.getStatus().getExited() : -1;
  }
  void type(Answer& answer, kj::StringPtr text) {
    auto request = answer.getStdin().writeRequest();
    request.setData(text.asBytes());
    request.send().wait(scope);
  }
  size_t starts() { return readHome("starts").size(); }

  void lose() {
    disconnect();
    processes = connect<rpc::Processes>(facet);
  }
  void await(size_t bytes) { TestWorld::await(out, bytes); }
  // Until so many programs were started, whoever asked for them.
  void awaitPrograms(uint count) {
    TestWorld::await([&]() { return programs->processCount >= count; });
  }
};

TEST_CASE(
    "P41 an exec that is repeated starts nothing, and has the same program from its first byte") {
  World world;
  auto first = world.exec("once", "echo one; echo two >&2; read x; echo $x; exit 7");
  world.type(first, "three\n");
  world.await(10);
  auto id = first.getId();
  world.lose();
  world.out.restart();
  world.err.restart();

  auto second = world.exec("once", "exit 1");
  CHECK(second.getId() == id);
  CHECK(second.getStdinReceived() == 6);
  CHECK(world.exitCode(second) == 7);
  CHECK(world.out.text() == "one\nthree\n");
  CHECK(world.err.text() == "two\n");
  CHECK(world.starts() == 1);
}

TEST_CASE("P41 an exec that is repeated goes on behind the output that the caller had") {
  World world;
  auto first = world.exec("once", "seq 1 300000; exit 3");
  world.await(1000000);
  world.lose();
  auto second = world.exec("once", "exit 1");
  CHECK(world.exitCode(second) == 3);
  kj::Vector<char> expected;
  for (uint i = 1; i <= 300000; i++) expected.addAll(kj::str(i, '\n'));
  CHECK(world.out.bytes.asPtr() == expected.asPtr().asBytes());
}

TEST_CASE("P41 two calls of one request id have one program, and the later one its output") {
  World world;
  Collected late;
  auto first = world.request("once", "read x; echo $x").send();
  auto request = world.request("once", "exit 1");
  request.setStdout(collectInto(late));
  auto second = request.send().wait(world.scope);
  auto earlier = first.wait(world.scope);
  CHECK(earlier.getId() == second.getId());
  CHECK_THROWS(earlier.getStdin().endRequest().send().wait(world.scope));
  world.type(second, "had\n");
  CHECK(world.exitCode(second) == 0);
  CHECK(late.text() == "had\n");
  CHECK(world.out.text() == "");
  CHECK(world.starts() == 1);
}

TEST_CASE("P41 output that did not arrive is had again, though it was told how the program ended") {
  World world;
  auto gate = kj::newPromiseAndFulfiller<void>();
  world.out.gate = gate.promise.fork();
  auto first = world.exec("once", "echo said; exit 7");
  auto request = first.getProcess().waitRequest();
  request.setAnswersToEnd(rpc::Process::AnswersToEnd::NOT_AWAITED);
  CHECK(request.send().wait(world.scope).getStatus().getExited() == 7);
  CHECK(world.out.ends == 0);
  world.lose();
  world.out.gate = nullptr;
  world.out.restart();
  auto second = world.exec("once", "exit 1");
  CHECK(world.exitCode(second) == 7);
  CHECK(world.out.text() == "said\n");
  CHECK(world.out.ends == 1);
}

TEST_CASE("P41 a call that a later attempt has overtaken does not take the program away") {
  World world;
  auto request = world.request("once", "read x; echo $x");
  request.setAttempt(2);
  auto answer = request.send().wait(world.scope);
  Collected nobody;
  auto late = world.request("once", "exit 1");
  late.setAttempt(1);
  late.setStdout(collectInto(nobody));
  CHECK_THROWS(late.send().wait(world.scope));
  world.type(answer, "had\n");
  CHECK(world.exitCode(answer) == 0);
  CHECK(world.out.text() == "had\n");
}

TEST_CASE("P41 a start whose caller is gone is completed, and waits for them") {
  World world;
  {
    auto dropped = world.request("once", "echo said; exit 5").send();
    dropped.poll(world.scope);
  }
  world.lose();
  auto answer = world.exec("once", "exit 1");
  CHECK(world.exitCode(answer) == 5);
  CHECK(world.out.text() == "said\n");
  CHECK(world.starts() == 1);
}

TEST_CASE("P12 a program that was started for somebody who never came is ended") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  World world(timer);
  {
    auto dropped = world.request("once", "exec sleep 1000").send();
    dropped.poll(world.scope);
  }
  world.awaitPrograms(1);
  auto childless = world.onChildless();
  CHECK_FALSE(childless.poll(world.scope));
  timer.advanceTo(timer.now() + KEEP);
  childless.wait(world.scope);
}

TEST_CASE("a program of which nothing can be had any more is told as gone, and not started again") {
  World world;
  auto first = world.exec("once", "echo up; exec sleep 1000");
  world.await(3);
  first.getProcess().endRequest().send().wait(world.scope);
  auto second = world.request("once", "exit 0").send().wait(world.scope);
  CHECK(second.getOutcome().isGone());
  CHECK(world.starts() == 1);
}

TEST_CASE("a start that failed is remembered for its time, and no longer") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  World world(timer);
  auto request = world.request("once", "");
  request.getCommand().setWorkingDirectory("/no/such/place");
  CHECK(request.send().wait(world.scope).getOutcome().isFailed());
  timer.advanceTo(timer.now() + MEMORY - 1 * kj::NANOSECONDS);
  CHECK(world.request("once", "exit 0").send().wait(world.scope).getOutcome().isFailed());
  timer.advanceTo(timer.now() + 1 * kj::NANOSECONDS);
  auto again = world.exec("once", "exit 0");
  CHECK(world.exitCode(again) == 0);
}

TEST_CASE("S42 a start that failed is forgotten after its time though nobody starts another") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  auto io = setupTestIo();
  auto requests = kj::refcounted<RequestedStarts>(timer);
  auto fail = [&](kj::StringPtr id) {
    requests
        ->once(id,
               []() -> kj::Promise<RequestedStarts::Result::Outcome> {
                 return RequestedStarts::Result::Outcome(StartFailure{
                     rpc::StartFailure::Reason::NO_SUCH_USER, FailureText("nobody"_kj)});
               })
        .wait(io.waitScope);
  };
  fail("first");
  timer.advanceTo(timer.now() + MEMORY / 2);
  fail("second");
  timer.advanceTo(timer.now() + MEMORY / 2 - 1 * kj::NANOSECONDS);
  io.waitScope.poll();
  CHECK(requests->count() == 2);
  timer.advanceTo(timer.now() + 1 * kj::NANOSECONDS);
  io.waitScope.poll();
  CHECK(requests->count() == 1);
  timer.advanceTo(timer.now() + MEMORY / 2);
  io.waitScope.poll();
  CHECK(requests->count() == 0);
  fail("third");
  timer.advanceTo(timer.now() + MEMORY);
  io.waitScope.poll();
  CHECK(requests->count() == 0);
}

TEST_CASE("of request ids without a program the last are remembered") {
  World world;
  auto fails = [&](kj::StringPtr id) {
    auto request = world.request(id, "");
    request.getCommand().setUser("stranger");
    CHECK(request.send().wait(world.scope).getOutcome().isFailed());
  };
  for (uint i = 0; i < rpc::MAX_REMEMBERED_REQUESTS; i++) fails(kj::str(i));
  fails("0");  // which is known and makes it no younger
  fails("last");
  auto again = world.exec("0", "exit 0");
  CHECK(world.exitCode(again) == 0);
  CHECK(world.request("1", "exit 0").send().wait(world.scope).getOutcome().isFailed());
}

TEST_CASE("a request id is for a program that is kept, and not longer than the limit") {
  World world;
  auto unkept = world.request("once", "exit 0");
  unkept.setKeep(false);
  CHECK_THROWS(unkept.send().wait(world.scope));
  auto tooLong = kj::str(kj::repeat('x', rpc::MAX_REQUEST_ID_BYTES + 1));
  CHECK_THROWS(world.request(tooLong, "exit 0").send().wait(world.scope));
}

}  // namespace
}  // namespace bothy
