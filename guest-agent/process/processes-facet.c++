#include "process/processes-facet.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/command.h"
#include "process/input-sink.h"
#include "process/process-facet.h"
#include "schema/limits.capnp.h"

namespace bothy {

namespace {

// A pipe of which the agent keeps one end, non-blocking, and the program gets the other.
struct ProgramPipe {
  kj::AutoCloseFd ours;
  kj::AutoCloseFd programs;
};

enum class Direction { TO_PROGRAM, FROM_PROGRAM };

ProgramPipe openPipe(Direction direction, const SpawnRequest& request) {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd readEnd(ends[0]);
  kj::AutoCloseFd writeEnd(ends[1]);
  ProgramPipe result = direction == Direction::TO_PROGRAM
                           ? ProgramPipe{kj::mv(writeEnd), kj::mv(readEnd)}
                           : ProgramPipe{kj::mv(readEnd), kj::mv(writeEnd)};
  KJ_SYSCALL(fcntl(result.ours.get(), F_SETFL, O_NONBLOCK));
  KJ_IF_MAYBE (credentials, request.credentials) {
    // Or the program may not open /dev/stdout.
    if (fchown(result.programs.get(), credentials->uid, credentials->gid) < 0 && errno != EPERM) {
      KJ_FAIL_SYSCALL("fchown", errno);
    }
  }
  return result;
}

class ProcessesFacet final: public rpc::Processes::Server {
public:
  explicit ProcessesFacet(ProcessHost& host) : host(host) {
    int fd;
    KJ_SYSCALL(fd = open("/dev/null", O_RDWR | O_CLOEXEC));
    nullDevice = kj::AutoCloseFd(fd);
  }

  kj::Promise<void> exec(ExecContext context) override {
    auto params = context.getParams();
    auto fail = [&](const StartFailure& failure) {
      failure.writeTo(context.initResults().initOutcome().initFailed());
    };
    if (host.processCount + starting >= rpc::MAX_PROCESSES) {
      fail({rpc::StartFailure::Reason::LIMIT_REACHED, kj::str("maxProcesses")});
      co_return;
    }
    starting++;
    KJ_DEFER(starting--);
    auto prepared = prepareCommand(host, params.getCommand(), EmptyArguments::REFUSED);
    KJ_IF_MAYBE (failure, prepared.tryGet<StartFailure>()) {
      fail(*failure);
      co_return;
    }
    auto& request = prepared.get<SpawnRequest>();

    auto input = openPipe(Direction::TO_PROGRAM, request);
    kj::AutoCloseFd programEnds[2];
    kj::Maybe<kj::AutoCloseFd> outputs[2];
    kj::Maybe<rpc::ByteSink::Client> sinks[2];
    const bool keep = params.getKeep();
    if (params.hasStdout()) sinks[0] = params.getStdout();
    if (params.hasStderr()) sinks[1] = params.getStderr();
    request.standardFds[0] = input.programs.get();
    for (int i = 0; i < 2; i++) {
      request.standardFds[i + 1] = nullDevice.get();
      if (sinks[i] == nullptr) continue;
      auto pipe = openPipe(Direction::FROM_PROGRAM, request);
      request.standardFds[i + 1] = pipe.programs.get();
      programEnds[i] = kj::mv(pipe.programs);
      outputs[i] = kj::mv(pipe.ours);
    }
    context.releaseParams();

    auto starting = ChildProcess::start(host, kj::mv(request));
    // The child has its own by now.  Were ours kept, no end of file would ever come.
    input.programs = nullptr;
    for (auto& end : programEnds) end = nullptr;
    auto outcome = co_await starting;
    KJ_IF_MAYBE (failure, outcome.tryGet<StartFailure>()) {
      fail(*failure);
      co_return;
    }
    kj::Maybe<kj::Own<OutputPump>> pumps[2];
    for (int i = 0; i < 2; i++) {
      KJ_IF_MAYBE (pipe, outputs[i]) {
        pumps[i] =
            kj::heap<OutputPump>(host.eventPort, kj::mv(*pipe), kj::mv(KJ_ASSERT_NONNULL(sinks[i])),
                                 keep ? OutputPump::Keeping::TAIL : OutputPump::Keeping::NOTHING);
      }
    }
    auto standardInput = kj::refcounted<ProgramInput>(host.eventPort, kj::mv(input.ours));
    auto results = context.initResults();
    results.setStdin(
        newInputSink(standardInput->addRef(), keep ? WhenDropped::KEEP : WhenDropped::CLOSE));
    auto& child = outcome.get<kj::Own<ChildProcess>>();
    auto told = results.initOutcome();
    told.setStarted();
    KJ_IF_MAYBE (home, child->missingHome()) {
      told.setMissingHome(home->path);
      told.setMissingHomeError(home->errorNumber);
    }
    auto execution = kj::refcounted<Execution>(host, kj::mv(child), kj::mv(standardInput),
                                               kj::mv(pumps[0]), kj::mv(pumps[1]));
    if (keep) {
      auto id = kept->add(kj::mv(execution));
      results.setProcess(newKeptProcessFacet(kept->addRef(), id));
      results.setId(id);
    } else {
      results.setProcess(newProcessFacet(kj::mv(execution)));
    }
  }

  kj::Promise<void> reattach(ReattachContext context) override {
    auto params = context.getParams();
    auto id = params.getId();
    auto found = kept->find(id);
    if (found == nullptr) {
      context.initResults().initOutcome().setAbsent();
      return kj::READY_NOW;
    }
    auto& execution = KJ_ASSERT_NONNULL(found);
    // Nothing is changed unless all of it can be.
    auto output = execution.output(), errors = execution.errors();
    KJ_REQUIRE(params.hasStdout() == (output != nullptr), "stdout as it was given to exec");
    KJ_REQUIRE(params.hasStderr() == (errors != nullptr), "stderr as it was given to exec");
    auto require = [](kj::Maybe<OutputPump&> pump, uint64_t from) {
      KJ_IF_MAYBE (p, pump) {
        KJ_REQUIRE(p->has(from), "this output is not kept", from);
      }
    };
    require(output, params.getStdoutFrom());
    require(errors, params.getStderrFrom());
    KJ_IF_MAYBE (pump, output) pump->redirect(params.getStdout(), params.getStdoutFrom());
    KJ_IF_MAYBE (pump, errors) pump->redirect(params.getStderr(), params.getStderrFrom());

    auto results = context.initResults();
    results.setStdin(newInputSink(execution.input().addRef(), WhenDropped::KEEP));
    results.setStdinReceived(execution.input().received());
    results.setProcess(newKeptProcessFacet(kept->addRef(), id));
    results.initOutcome().setAttached();
    return kj::READY_NOW;
  }

private:
  ProcessHost& host;
  kj::AutoCloseFd nullDevice;
  uint starting = 0;  // programs, not yet in host.processCount
  kj::Own<KeptExecutions> kept = kj::refcounted<KeptExecutions>(host);
};

}  // namespace

rpc::Processes::Client newProcessesFacet(ProcessHost& host) {
  return kj::heap<ProcessesFacet>(host);
}

}  // namespace bothy
