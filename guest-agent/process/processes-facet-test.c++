#include "process/processes-facet.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "process/test-processes.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using World = ProcessesWorld;
using Reason = rpc::StartFailure::Reason;

uint repetitions() {
  return getenv("BOTHY_FULL") != nullptr ? 1000 : 200;
}

TEST_CASE("P04 a fast command shows all its output, and its code comes after the last byte") {
  World world;
  for (uint i = 0; i < repetitions(); i++) {
    auto result = world.run("printf x; exit 7");
    REQUIRE(result.status == exited(7));
    REQUIRE(world.out.text() == "x");
    REQUIRE(world.out.ends == 1);
  }
}

TEST_CASE("output and errors come apart") {
  World world;
  CHECK(world.run("echo out; echo err >&2").status == exited(0));
  CHECK(world.out.text() == "out\n");
  CHECK(world.err.text() == "err\n");
  CHECK(world.err.ends == 1);
}

TEST_CASE("P11 a background child that holds stdout does not delay the end") {
  auto trees = GENERATE(Trees::CGROUPS_IF_POSSIBLE, Trees::SESSIONS);
  World world(trees);
  auto process = world.start(world.request("sleep 1000 & echo ok"));
  auto result = world.wait(process);
  CHECK(result.status == exited(0));
  CHECK(result.detached == 1);
  CHECK(world.out.text() == "ok\n");
  CHECK(world.out.ends == 1);

  // It lives on, also without us, until somebody ends it.
  auto signal = process.signalRequest();
  signal.setNumber(SIGKILL);
  signal.setScope(rpc::SignalScope::TREE);
  CHECK(signal.send().wait(world.scope).getDelivered());
}

TEST_CASE("P11 what is in the pipe when the program ends is delivered though the pipe stays open") {
  World world;
  auto gate = kj::newPromiseAndFulfiller<void>();
  world.out.gate = gate.promise.fork();
  auto process = world.start(world.request("sleep 1000 & head -c 60000 /dev/zero; exit 3"));
  auto waiting = process.waitRequest().send();
  CHECK_FALSE(waiting.poll(world.scope));
  gate.fulfiller->fulfill();
  CHECK(waiting.wait(world.scope).getStatus().getExited() == 3);
  CHECK(world.out.bytes.size() == 60000);
  CHECK(world.out.ends == 1);
  auto signal = process.signalRequest();
  signal.setNumber(SIGKILL);
  signal.setScope(rpc::SignalScope::TREE);
  signal.send().wait(world.scope);
}

TEST_CASE(
    "P04 a wait for no answer to end comes behind the call of end, one for it behind the answer") {
  World world;
  auto gate = kj::newPromiseAndFulfiller<void>();
  world.err.endGate = gate.promise.fork();
  auto process = world.start(world.request("echo out; echo err >&2; exit 3"));
  auto awaiting = process.waitRequest().send();
  auto request = process.waitRequest();
  request.setAnswersToEnd(rpc::Process::AnswersToEnd::NOT_AWAITED);
  CHECK(request.send().wait(world.scope).getStatus().getExited() == 3);
  CHECK(world.out.text() == "out\n");
  CHECK(world.err.text() == "err\n");
  CHECK(world.out.ends == 1);
  CHECK(world.err.ends == 1);
  CHECK_FALSE(awaiting.poll(world.scope));
  gate.fulfiller->fulfill();
  CHECK(awaiting.wait(world.scope).getStatus().getExited() == 3);
}

TEST_CASE("P12 dropping standard input is its end at once") {
  World world;
  auto process = world.start(world.request("cat; echo done"));
  CHECK(world.wait(process).status == exited(0));
  CHECK(world.out.text() == "done\n");
}

TEST_CASE("P12 a program that has no standard input is given /dev/null, and its caller no stream") {
  World world;
  auto request = world.request("readlink /proc/$$/fd/0; cat; echo done");
  request.setNoStdin(true);
  SECTION("for its caller alone") {}
  SECTION("and is kept") {
    request.setKeep(true);
  }
  auto started = request.send().wait(world.scope);
  REQUIRE(started.getOutcome().isStarted());
  CHECK_FALSE(started.hasStdin());
  CHECK(world.wait(started.getProcess()).status == exited(0));
  CHECK(world.out.text() == "/dev/null\ndone\n");
  if (started.getId() == 0) return;

  world.out.restart();
  world.err.restart();
  auto again = world.processes.reattachRequest();
  again.setId(started.getId());
  again.setStdout(collectInto(world.out));
  again.setStderr(collectInto(world.err));
  auto attached = again.send().wait(world.scope);
  CHECK(attached.getOutcome().isAttached());
  CHECK_FALSE(attached.hasStdin());
  CHECK(attached.getStdinReceived() == 0);
  attached.getProcess().endRequest().send().wait(world.scope);
}

TEST_CASE("P40 a program has the login environment, its own additions, and no shell before it") {
  World world;
  auto request = world.processes.execRequest();
  auto command = request.initCommand();
  setArguments(command, {"env"_kj});
  auto environment = command.initEnvironment(2);
  environment[0].setName("MINE");
  environment[0].setValue("a=b");
  environment[1].setName("LANG");
  environment[1].setValue("C");
  request.setStdout(collectInto(world.out));
  CHECK(world.run(kj::mv(request)).status == exited(0));
  auto home = world.path("");
  auto expected =
      kj::str(world.uid == 0 ? "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                             : "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
              "\nLANG=C\nHOME=", home.slice(0, home.size() - 1),
              "\nUSER=user\nLOGNAME=user\nSHELL=/bin/bash\nXDG_RUNTIME_DIR=", world.directory,
              "/run/user/", world.uid, "\nMINE=a=b\n");
  CHECK(world.out.text() == expected);
}

TEST_CASE("P40 a hostile start-up file has no effect on a program") {
  World world;
  CHECK(world.run("echo 'exit 66' | tee .profile .bash_profile .bashrc .bash_login > /dev/null")
            .status == exited(0));
  auto request = world.processes.execRequest();
  setArguments(request.initCommand(), {"bash"_kj, "-c"_kj, "exit 5"_kj});
  CHECK(world.run(kj::mv(request)).status == exited(5));
}

TEST_CASE("a program runs as its user, with their groups, in their home") {
  World world;
  CHECK(world.run("id -u; pwd").status == exited(0));
  auto home = world.path("");
  CHECK(world.out.text() == kj::str(world.uid, '\n', home.slice(0, home.size() - 1), '\n'));
  if (geteuid() == 0) {
    CHECK(world.run("id -G").status == exited(0));
    CHECK(world.out.text() == kj::str(world.uid, " 61300\n"));
  }
}

TEST_CASE("why a program does not start is told with its reason") {
  World world;
  auto request = world.processes.execRequest();
  setArguments(request.initCommand(), {"no-such-program"_kj});
  CHECK(world.failure(kj::mv(request)) == Reason::PROGRAM_NOT_FOUND);

  request = world.processes.execRequest();
  setArguments(request.initCommand(), {"/etc/passwd"_kj});
  CHECK(world.failure(kj::mv(request)) == Reason::PROGRAM_NOT_EXECUTABLE);

  request = world.request("exit 0");
  request.getCommand().setWorkingDirectory("/no/such/place");
  CHECK(world.failure(kj::mv(request)) == Reason::WORKING_DIRECTORY_MISSING);

  request = world.request("exit 0");
  request.getCommand().setUser("stranger");
  CHECK(world.failure(kj::mv(request)) == Reason::NO_SUCH_USER);

  request = world.processes.execRequest();
  CHECK(world.failure(kj::mv(request)) == Reason::INVALID_COMMAND);

  request = world.request("exit 0");
  request.getCommand().initEnvironment(1)[0].setName("A=B");
  CHECK(world.failure(kj::mv(request)) == Reason::INVALID_COMMAND);
  CHECK(world.programs->processCount == 0);
}

TEST_CASE("programs that are being started count as those that run") {
  World world;
  world.programs->processCount += rpc::MAX_PROCESSES - 1;
  {
    auto first = world.request("exit 0").send();
    auto second = world.request("exit 0").send();
    CHECK(first.wait(world.scope).getOutcome().isStarted());
    auto outcome = second.wait(world.scope);
    REQUIRE(outcome.getOutcome().isFailed());
    CHECK(outcome.getOutcome().getFailed().getReason() == Reason::LIMIT_REACHED);
  }
  world.programs->processCount -= rpc::MAX_PROCESSES - 1;
}

TEST_CASE("a signal reaches the leader alone or the tree, and says if somebody was there") {
  auto trees = GENERATE(Trees::CGROUPS_IF_POSSIBLE, Trees::SESSIONS);
  World world(trees);
  auto process = world.start(world.request("sleep 1000"));
  auto signal = process.signalRequest();
  signal.setNumber(SIGTERM);
  signal.setScope(rpc::SignalScope::TREE);
  CHECK(signal.send().wait(world.scope).getDelivered());
  CHECK(world.wait(process).status == killed(SIGTERM));
  signal = process.signalRequest();
  signal.setNumber(SIGTERM);
  CHECK_FALSE(signal.send().wait(world.scope).getDelivered());
  signal = process.signalRequest();
  signal.setNumber(65);
  CHECK_THROWS_AS(signal.send().wait(world.scope), kj::Exception);
}

TEST_CASE("dropping a running process ends its whole tree") {
  auto trees = GENERATE(Trees::CGROUPS_IF_POSSIBLE, Trees::SESSIONS);
  World world(trees);
  {
    // One obeys SIGTERM, one stands for what the shell starts.
    auto process = world.start(world.request("sleep 1000 & echo up; sleep 1000"));
  }
  world.onChildless().wait(world.scope);
  world.programs->onBackgroundIdle().wait(world.scope);
  CHECK(world.programs->processCount == 0);
}

TEST_CASE("a tree that ignores SIGTERM is killed after the grace, double-forked members too") {
  World world;
  if (world.cgroupRoot == nullptr) SKIP("no cgroup v2 that this user may write");
  {
    auto process = world.start(world.request(
        "trap '' TERM HUP; (setsid sh -c 'trap \"\" TERM HUP; sleep 1000; sleep 1000' &); "
        "echo up; sleep 1000; sleep 1000"));
    auto info = process.infoRequest().send().wait(world.scope);
    CHECK(info.getPid() > 0);
  }
  world.onChildless().wait(world.scope);
}

TEST_CASE("a lost connection ends its processes") {
  World world;
  auto process = world.start(world.request("sleep 1000"));
  world.disconnect();
  world.onChildless().wait(world.scope);
}

TEST_CASE("S01 a program whose output goes to its own process is not held for ever by that") {
  World world;
  {
    auto request = world.request("read line");
    auto sink = kj::newPromiseAndFulfiller<rpc::ByteSink::Client>();
    request.setStdout(rpc::ByteSink::Client(kj::mv(sink.promise)));
    auto response = request.send().wait(world.scope);
    REQUIRE(response.getOutcome().isStarted());
    sink.fulfiller->fulfill(response.getProcess().castAs<rpc::ByteSink>());
    world.scope.poll();
    response.getStdin()
        .endRequest()
        .send()
        .ignoreResult()
        .catch_([](kj::Exception&&) {})
        .wait(world.scope);
    world.onChildless().wait(world.scope);
  }
  world.disconnect();
  auto limit = world.io.provider->getTimer().afterDelay(10 * kj::SECONDS);
  world.programs->onAllDisposed().exclusiveJoin(kj::mv(limit)).wait(world.scope);
  CHECK(world.programs->processCount == 0);
}

TEST_CASE("a call that is dropped before its answer leaves nothing") {
  World world;
  {
    auto dropped = world.request("sleep 1000").send();
    // Far enough that the server has begun: the connection itself carries the cancellation.
    dropped.poll(world.scope);
  }
  world.onChildless().wait(world.scope);
  world.programs->onBackgroundIdle().wait(world.scope);
  CHECK(world.programs->processCount == 0);
}

TEST_CASE("P15 orphans are collected") {
  World world;
  CHECK(world.run("i=0; while [ $i -lt 300 ]; do (true &); i=$((i+1)); done").status == exited(0));
  world.onChildless().wait(world.scope);
}

}  // namespace
}  // namespace bothy
