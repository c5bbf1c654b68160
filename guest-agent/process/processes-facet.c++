#include "process/processes-facet.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/command.h"
#include "process/input-sink.h"
#include "process/marked-fd.h"
#include "process/process-facet.h"
#include "process/requested-starts.h"
#include "schema/limits.capnp.h"

namespace bothy {

namespace {

// A pipe of which the agent keeps one end, non-blocking, and the program gets the other.
struct ProgramPipe {
  MarkedFd ours;
  MarkedFd programs;
};

enum class Direction { TO_PROGRAM, FROM_PROGRAM };

ProgramPipe openPipe(Direction direction, const SpawnRequest& request, ProgramMark whose) {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  MarkedFd readEnd(kj::AutoCloseFd(ends[0]), whose);
  MarkedFd writeEnd(kj::AutoCloseFd(ends[1]), whose);
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

using Started = kj::OneOf<kj::Own<Execution>, StartFailure>;
using Sinks = kj::Maybe<rpc::ByteSink::Client>[2];  // standard output and error
enum class Input { NOTHING, PIPE };

Input inputOf(rpc::Processes::ExecParams::Reader params) {
  return params.getNoStdin() ? Input::NOTHING : Input::PIPE;
}

// The programs of all clients: a start goes on when the client's facet is gone.
class ClientPrograms final: public kj::Refcounted {
public:
  explicit ClientPrograms(Programs& programs)
      : requested(kj::refcounted<RequestedStarts>(programs.timer)),
        kept(kj::refcounted<KeptExecutions>(programs)),
        programs(programs) {
    int fd;
    KJ_SYSCALL(fd = open("/dev/null", O_RDWR | O_CLOEXEC));
    nullDevice = kj::AutoCloseFd(fd);
  }
  // Kept programs that somebody holds yet hold `requested`, too, and a start in it is of this.
  ~ClientPrograms() noexcept(false) { requested->giveUp(); }
  KJ_DISALLOW_COPY_AND_MOVE(ClientPrograms);

  // Keeps nothing of its parameters, except that `sinks` become the program's.
  kj::Promise<Started> start(rpc::Command::Reader command, Input input, Sinks& sinks, bool keep) {
    if (programs.processCount + starting >= rpc::MAX_PROCESSES) {
      return Started(
          StartFailure{rpc::StartFailure::Reason::LIMIT_REACHED, FailureText("maxProcesses"_kj)});
    }
    auto prepared = prepareCommand(programs, command, EmptyArguments::REFUSED);
    KJ_IF_MAYBE (failure, prepared.tryGet<StartFailure>()) {
      return Started(kj::mv(*failure));
    }
    return spawn(kj::mv(prepared.get<SpawnRequest>()), input, kj::mv(sinks[0]), kj::mv(sinks[1]),
                 keep);
  }

  // Starts a program that waits for whoever attaches to it.
  kj::Promise<RequestedStarts::Result::Outcome> startKept(rpc::Processes::ExecParams::Reader params,
                                                          kj::Own<AskedStart> asked) {
    auto requestId = kj::str(params.getRequestId());
    Sinks sinks;
    auto nobody = [] { return KJ_EXCEPTION(DISCONNECTED, "nobody is attached yet"); };
    if (params.hasStdout()) sinks[0] = rpc::ByteSink::Client(nobody());
    if (params.hasStderr()) sinks[1] = rpc::ByteSink::Client(nobody());
    auto outcome = co_await start(params.getCommand(), inputOf(params), sinks, true);
    KJ_IF_MAYBE (failure, outcome.tryGet<StartFailure>()) {
      asked->failed();
      co_return kj::mv(*failure);
    }
    auto forget = kj::defer([table = requested->addRef(), requestId = kj::mv(requestId)]() mutable {
      table->programIsGone(requestId);
    });
    auto id = kept->add(kj::mv(outcome.get<kj::Own<Execution>>()), kj::heap(kj::mv(forget)));
    asked->started(id);
    co_return id;
  }

  kj::Own<RequestedStarts> requested;
  kj::Own<KeptExecutions> kept;

  kj::Own<ClientPrograms> addRef() { return kj::addRef(*this); }

private:
  Programs& programs;
  kj::AutoCloseFd nullDevice;
  uint starting = 0;  // programs, not yet in Programs::processCount

  kj::Promise<Started> spawn(SpawnRequest request, Input given,
                             kj::Maybe<rpc::ByteSink::Client> stdoutSink,
                             kj::Maybe<rpc::ByteSink::Client> stderrSink, bool keep) {
    starting++;
    KJ_DEFER(starting--);
    Sinks sinks = {kj::mv(stdoutSink), kj::mv(stderrSink)};
    const auto whose = programs.touches.markOf(request.user());
    ProgramPipe input;
    if (given == Input::PIPE) input = openPipe(Direction::TO_PROGRAM, request, whose);
    MarkedFd programEnds[2];
    kj::Maybe<MarkedFd> outputs[2];
    request.standardFds[0] = given == Input::PIPE ? input.programs.get() : nullDevice.get();
    for (int i = 0; i < 2; i++) {
      request.standardFds[i + 1] = nullDevice.get();
      if (sinks[i] == nullptr) continue;
      auto pipe = openPipe(Direction::FROM_PROGRAM, request, whose);
      request.standardFds[i + 1] = pipe.programs.get();
      programEnds[i] = kj::mv(pipe.programs);
      outputs[i] = kj::mv(pipe.ours);
    }

    auto spawning = ChildProcess::start(programs, kj::mv(request));
    // The child has its own by now.  Were ours kept, no end of file would ever come.
    input.programs.close();
    for (auto& end : programEnds) end.close();
    auto outcome = co_await spawning;
    KJ_IF_MAYBE (failure, outcome.tryGet<StartFailure>()) {
      co_return kj::mv(*failure);
    }
    const auto mark = outcome.get<kj::Own<ChildProcess>>()->mark();
    kj::Maybe<kj::Own<OutputPump>> pumps[2];
    for (int i = 0; i < 2; i++) {
      KJ_IF_MAYBE (pipe, outputs[i]) {
        kj::Maybe<OutputBudget&> tail;
        if (keep) tail = programs.outputs;
        pumps[i] =
            kj::heap<OutputPump>(programs.eventPort, programs.timer, programs.leftPipes,
                                 pipe->take(), mark, kj::mv(KJ_ASSERT_NONNULL(sinks[i])), tail);
      }
    }
    kj::Maybe<kj::Own<ProgramInput>> programInput;
    if (given == Input::PIPE) {
      programInput = kj::refcounted<ProgramInput>(programs.eventPort, input.ours.take(), mark);
    }
    co_return kj::refcounted<Execution>(programs, kj::mv(outcome.get<kj::Own<ChildProcess>>()),
                                        kj::mv(programInput), kj::mv(pumps[0]), kj::mv(pumps[1]));
  }
};

constexpr kj::StringPtr REATTACHED = "program reattached"_kj;

class ProcessesFacet final: public rpc::Processes::Server {
public:
  ProcessesFacet(kj::Own<ClientPrograms> programs, kj::Own<ClientActions> actions)
      : programs(kj::mv(programs)), actions(kj::mv(actions)) {}

  kj::Promise<void> exec(ExecContext context) override {
    auto params = context.getParams();
    return params.getRequestId().size() == 0 ? execOnce(context) : execRepeatable(context);
  }

  kj::Promise<void> reattach(ReattachContext context) override {
    auto params = context.getParams();
    auto results = context.getResults();
    if (kept.find(params.getId()) == nullptr) {
      results.initOutcome().setAbsent();
    } else {
      attach(params.getId(), params, results);
      actions->did(REATTACHED, ProgramKind::COMMAND, params.getId());
      results.initOutcome().setAttached();
    }
    return kj::READY_NOW;
  }

private:
  kj::Own<ClientPrograms> programs;
  kj::Own<ClientActions> actions;
  KeptExecutions& kept = *programs->kept;

  kj::Promise<void> execOnce(ExecContext context) {
    auto params = context.getParams();
    const bool keep = params.getKeep();
    const auto input = inputOf(params);
    Sinks sinks;
    if (params.hasStdout()) sinks[0] = params.getStdout();
    if (params.hasStderr()) sinks[1] = params.getStderr();
    auto asked = actions->asked(ProgramKind::COMMAND, params.getCommand());
    auto executing = programs->start(params.getCommand(), input, sinks, keep);
    context.releaseParams();
    auto outcome = co_await executing;
    auto results = context.initResults();
    KJ_IF_MAYBE (failure, outcome.tryGet<StartFailure>()) {
      asked->failed();
      failure->writeTo(results.initOutcome().initFailed());
      co_return;
    }
    auto& execution = outcome.get<kj::Own<Execution>>();
    KJ_IF_MAYBE (in, execution->input()) {
      results.setStdin(newInputSink(in->addRef(), keep ? WhenDropped::KEEP : WhenDropped::CLOSE));
    }
    tellStarted(*execution, results.initOutcome());
    if (keep) {
      auto id = kept.add(kj::mv(execution));
      asked->started(id);
      results.setProcess(newKeptProcessFacet(kept.addRef(), id));
      results.setId(id);
    } else {
      asked->started(0);
      results.setProcess(newProcessFacet(kj::mv(execution)));
    }
  }

  kj::Promise<void> execRepeatable(ExecContext context) {
    auto params = context.getParams();
    auto requestId = params.getRequestId();
    KJ_REQUIRE(params.getKeep(), "only a program that is kept may have a request id");
    KJ_REQUIRE(requestId.size() <= rpc::MAX_REQUEST_ID_BYTES, "request id too long");
    bool isRepeated = true;
    auto result = co_await programs->requested->once(requestId, [&]() {
      isRepeated = false;
      return programs->startKept(params, actions->asked(ProgramKind::COMMAND, params.getCommand()));
    });
    auto results = context.getResults();
    auto outcome = results.initOutcome();
    KJ_IF_MAYBE (failure, result->outcome.tryGet<StartFailure>()) {
      failure->writeTo(outcome.initFailed());
      co_return;
    }
    auto id = result->outcome.get<uint64_t>();
    if (kept.find(id) == nullptr) {
      outcome.setGone();
      co_return;
    }
    attach(id, params, results);
    if (isRepeated) actions->did(REATTACHED, ProgramKind::COMMAND, id);
    results.setId(id);
    tellStarted(KJ_ASSERT_NONNULL(kept.find(id)), outcome);
  }

  static void tellStarted(Execution& execution, rpc::Processes::ExecOutcome::Builder outcome) {
    outcome.setStarted();
    KJ_IF_MAYBE (home, execution.process().missingHome()) {
      outcome.setMissingHome(home->path);
      outcome.setMissingHomeError(home->errorNumber);
    }
  }

  // Gives the kept program `id` to the sinks of `params`, from its positions on.  Nothing is changed unless all of it
  // can be.
  template <typename Params, typename Results>
  void attach(uint64_t id, Params params, Results results) {
    auto& execution = KJ_ASSERT_NONNULL(kept.find(id));
    auto output = execution.output(), errors = execution.errors();
    KJ_REQUIRE(params.hasStdout() == (output != nullptr), "stdout as it was given to exec");
    KJ_REQUIRE(params.hasStderr() == (errors != nullptr), "stderr as it was given to exec");
    auto require = [](kj::Maybe<OutputPump&> pump, uint64_t from) {
      KJ_IF_MAYBE (p, pump) {
        KJ_REQUIRE(p->hasReached(from), "so much has not come of this output", from);
      }
    };
    require(output, params.getStdoutFrom());
    require(errors, params.getStderrFrom());
    KJ_REQUIRE(kept.admits(id, params.getAttempt()), "overtaken by a later attempt");
    KJ_IF_MAYBE (pump, output) pump->redirect(params.getStdout(), params.getStdoutFrom());
    KJ_IF_MAYBE (pump, errors) pump->redirect(params.getStderr(), params.getStderrFrom());

    KJ_IF_MAYBE (input, execution.input()) {
      results.setStdin(newInputSink(input->addRef(), WhenDropped::KEEP));
      results.setStdinReceived(input->received());
    }
    results.setProcess(newKeptProcessFacet(kept.addRef(), id));
  }
};

}  // namespace

ProcessesFacets newProcessesFacets(Programs& programs) {
  return [programs =
              kj::refcounted<ClientPrograms>(programs)](kj::Own<ClientActions> actions) mutable {
    return kj::Own<rpc::Processes::Server>(
        kj::heap<ProcessesFacet>(programs->addRef(), kj::mv(actions)));
  };
}

}  // namespace bothy
