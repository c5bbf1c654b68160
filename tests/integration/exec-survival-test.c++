// `bothy exec`, the real program, with a real agent, when the connections between them break.

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/thread.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "support/agent-process.h"
#include "support/cutting-stream.h"
#include "support/fake-supervisor.h"
#include "support/host-program.h"

namespace bothy {
namespace {

constexpr kj::uint NEVER = 1 << 20;

// bothyd without a machine: its connections from clients, and to the agent, break after so many messages.
class World {
public:
  World() {
    char name[] = "/tmp/bothy-exec-test-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    directory = kj::str(name);
    supervisor.processes = [this]() { return processes(); };
    auto address = io.provider->getNetwork()
                       .parseAddress(kj::str("unix:", directory, "/bothyd.sock"))
                       .wait(io.waitScope);
    receiver = address->listen();
    accepting = accept().eagerlyEvaluate(nullptr);
  }
  ~World() {
    accepting = nullptr;
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(directory.slice(1)));
  }
  KJ_DISALLOW_COPY_AND_MOVE(World);

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::String directory;
  FakeSupervisor supervisor;
  // After how many messages the next connections to the agent break, the first one's first.
  kj::Vector<kj::uint> laneCuts;
  size_t lanesMade() const { return lanes.size(); }

  // A shell of this host, with `bothy` as its $bothy and this world's directory as its current one.
  FinishedProgram shell(kj::StringPtr script) {
    auto paf = kj::newPromiseAndCrossThreadFulfiller<FinishedProgram>();
    kj::Thread thread([&]() {
      auto whole = kj::str("cd ", directory, "; bothy=\"", BOTHY_PROGRAM,
                           " --socket bothyd.sock\"; ", script);
      paf.fulfiller->fulfill(runProgram({"/bin/sh"_kj, "-c"_kj, whole}));
    });
    return paf.promise.wait(io.waitScope);
  }

private:
  AgentProcess agent{io};
  kj::Vector<kj::Own<kj::uint>> budgets;
  kj::Vector<kj::Own<RpcConnection>> lanes;
  kj::Own<kj::ConnectionReceiver> receiver;
  kj::Promise<void> accepting = nullptr;

  kj::Promise<void> accept() {
    for (;;) supervisor.serve(co_await receiver->accept());
  }

  // Over a new connection to the agent.
  rpc::Processes::Client processes() {
    auto stream = agent.dialRaw();
    auto& budget = budgets.add(
        kj::heap<kj::uint>(lanes.size() < laneCuts.size() ? laneCuts[lanes.size()] : NEVER));
    auto& lane =
        *lanes.add(kj::heap<RpcConnection>(kj::heap<CuttingStream>(kj::mv(stream), *budget)));
    return agent.hello(lane).then([](auto&& response) {
      auto welcome = response.getOutcome().getWelcome();
      return welcome.getAgent().processesRequest().send().getProcesses();
    });
  }
};

kj::String userName() {
  auto entry = getpwuid(getuid());
  KJ_REQUIRE(entry != nullptr, "this user has no name");
  return kj::str(entry->pw_name);
}

// Each program that is started writes a line into `starts`; both outputs are as long as the input.
void checkExec(World& world) {
  auto result = world.shell(
      kj::str("seq 1 30000 > input; $bothy exec -u ", userName(), " demo -- sh -c 'echo >> ",
              world.directory,
              "/starts; tee /dev/stderr; exit 5' < input > out 2> err; code=$?; cat starts; "
              "cmp input out && cmp input err || head -c 300 err; exit $code"));
  CHECK(result.status == 5);
  CHECK(result.out == "\n");
  CHECK(result.err == "");
}

// The more of them, the rarer.
kj::uint following(kj::uint messages) {
  if (getenv("BOTHY_FULL") != nullptr) return messages + 1;
  return messages + 1 + messages / 8;
}

TEST_CASE("P41 wherever the connection to bothyd breaks, exec runs its command once, and whole") {
  bool wasWhole = false;
  for (kj::uint messages = 0; !wasWhole; messages = following(messages)) {
    INFO("cut after " << messages << " messages");
    World world;
    world.supervisor.cuts.add(messages);
    checkExec(world);
    wasWhole = world.supervisor.connections == 1;
  }
}

TEST_CASE(
    "P41 wherever the connection to the agent breaks, exec runs its command once, and whole") {
  bool wasWhole = false;
  for (kj::uint messages = 0; !wasWhole; messages = following(messages)) {
    INFO("cut after " << messages << " messages");
    World world;
    world.laneCuts.add(messages);
    checkExec(world);
    wasWhole = world.lanesMade() == 1;
  }
}

TEST_CASE("P16 exec into a pipe that closes ends its command and says so") {
  World world;
  auto result = world.shell(kj::str("{ $bothy exec -u ", userName(),
                                    " demo yes; echo $? > code; } 2> err | head -n 1; "
                                    "while test ! -s code; do :; done; cat code err"));
  CHECK(result.out == "y\n141\nbothy: nobody reads the output any more: the command is ended\n");
}

TEST_CASE("P16 exec onto a full disk ends its command and says so") {
  World world;
  auto result = world.shell(kj::str("$bothy exec -u ", userName(), " demo yes > /dev/full"));
  CHECK(result.status == 125);
  CHECK(result.err ==
        "bothy: cannot write standard output: No space left on device: the command is ended\n");
}

}  // namespace
}  // namespace bothy
