// Runs a program in a workspace, prints its output and exits with its status:
//
//     run-in-workspace SOCKET WORKSPACE PROGRAM [ARGUMENT...]

#include <kj/debug.h>
#include <kj/io.h>
#include <unistd.h>

#include "lane/lane-descriptor.h"
#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "schema/supervisor.capnp.h"
#include "wire/event-loop.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

// Nobody promises when an agent answers.
constexpr kj::Duration WELCOME_LIMIT = 20 * kj::SECONDS;
// bothyd knows within a tenth of a second why a lane has ended, where it knows of an end at all.
constexpr kj::Duration REASON_LIMIT = 2 * kj::SECONDS;

// Writes what it receives to a file descriptor.  It returns late when nobody reads there, which holds the program back.
class Printer final: public rpc::ByteSink::Server {
public:
  explicit Printer(int fd) : output(fd) {}

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    output.write(data.begin(), data.size());
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override { return kj::READY_NOW; }

private:
  kj::FdOutputStream output;
};

int run(kj::StringPtr socket, kj::StringPtr workspace, kj::ArrayPtr<char* const> argv) {
  auto io = setupEventLoop();
  auto& scope = io.waitScope;
  auto& timer = io.provider->getTimer();

  // 1. Connect to bothyd.  One message from it brings at most one descriptor.
  auto address = io.provider->getNetwork().parseAddress(kj::str("unix:", socket)).wait(scope);
  auto stream = address->connect().wait(scope).downcast<kj::AsyncCapabilityStream>();
  RpcConnection connection(kj::mv(stream), 1);
  auto supervisor = connection.bootstrap().castAs<rpc::Supervisor>();

  // 2. Ask for a lane to the workspace's agent, with the right to run programs.
  auto wish = supervisor.connectRequest();
  wish.setName(workspace);
  wish.initWanted().setCommands();
  auto connected = wish.send().wait(scope);
  KJ_REQUIRE(connected.getOutcome().isConnected(), connected.getOutcome());

  // 3. Take the lane's socket.  The stream holds the `Lane` capability, and so the lane's life.
  auto socketOfLane = streamOf(connected.getLane(), io.unixEventPort).wait(scope);
  Lane lane(kj::mv(socketOfLane), timer);

  // 4. Start the program.  These calls leave in one write, and need not wait for the Welcome.
  auto agent = lane.bootstrap().castAs<rpc::Agent>();
  auto exec = agent.processesRequest().send().getProcesses().execRequest();
  auto words = exec.initCommand().initArgv(argv.size());
  for (auto i : kj::indices(argv)) words.set(i, argv[i]);
  exec.setStdout(kj::heap<Printer>(STDOUT_FILENO));
  exec.setStderr(kj::heap<Printer>(STDERR_FILENO));
  auto starting = exec.send();
  auto noInput = starting.getStdin().endRequest().send();
  auto ending = starting.getProcess().waitRequest().send();

  // 5. Read the Welcome.  An agent that refuses the lane has done nothing of what was asked for.
  auto welcome = timer.timeoutAfter(WELCOME_LIMIT, lane.answer()).wait(scope);
  KJ_IF_MAYBE (refused, welcome.tryGet<LaneRefused>()) {
    KJ_FAIL_REQUIRE("the agent refuses the lane", refused->why);
  }

  // 6. See whether the program runs.
  auto started = starting.wait(scope);
  KJ_REQUIRE(started.getOutcome().isStarted(), started.getOutcome());

  // 7. Wait for its end.  All its output was printed before this returns.  Where the lane ends first, bothyd says why.
  using Ended = capnp::Response<rpc::Process::WaitResults>;
  auto whyLost = [&](kj::Exception&& exception) -> kj::Promise<Ended> {
    if (!lane.hasEnded()) return kj::mv(exception);
    auto asking = connected.getLane().whenEndedRequest().send();
    return timer.timeoutAfter(REASON_LIMIT, asking.dropPipeline()).then([](auto&& answer) -> Ended {
      KJ_FAIL_REQUIRE("the lane has ended", answer.getReason());
    });
  };
  auto ended = ending.catch_(whyLost).wait(scope);
  auto status = ended.getStatus();
  KJ_REQUIRE(status.isExited() || status.isKilled(), status);
  return status.isExited() ? status.getExited() : 128 + status.getKilled();
}

}  // namespace
}  // namespace bothy

int main(int argc, char* argv[]) {
  constexpr int OWN_FAILURE = 125;  // no status of the program's
  if (argc < 4) {
    KJ_LOG(ERROR, "usage: run-in-workspace SOCKET WORKSPACE PROGRAM [ARGUMENT...]");
    return OWN_FAILURE;
  }
  int status = OWN_FAILURE;
  auto failure = kj::runCatchingExceptions(
      [&]() { status = bothy::run(argv[1], argv[2], kj::arrayPtr(argv + 3, argc - 3)); });
  KJ_IF_MAYBE (exception, failure) KJ_LOG(ERROR, exception->getDescription());
  return status;
}
