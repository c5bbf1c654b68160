#include "session/process-session.h"

#include <sys/random.h>

#include <kj/debug.h>
#include <kj/encoding.h>

#include "client/program-feed.h"
#include "client/program-output.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "result/cli.capnp.h"
#include "session/collected-output.h"
#include "session/workspace-connection.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

// After it the agent has ended the program.
constexpr auto RECONNECT_FOR = rpc::PROCESS_KEEP_MILLIS * kj::MILLISECONDS;
// How long the end of a program, or that it is forgotten, may take to be ordered.
constexpr auto END_LIMIT = 2 * kj::SECONDS;
constexpr size_t REQUEST_ID_BYTES = 16;

kj::String newRequestId() {
  kj::byte bytes[REQUEST_ID_BYTES];
  ssize_t size;
  KJ_SYSCALL(size = getrandom(bytes, sizeof(bytes), 0));
  KJ_ASSERT(size == sizeof(bytes));
  return kj::encodeHex(bytes);
}

kj::Exception lostFor(kj::StringPtr workspace) {
  return failure(kj::str("the connection to ", workspace,
                         " was lost for too long, or it was started anew: the command was ended, ",
                         "and how far it came is not known"),
                 EXEC_FAILED);
}

// A program from its start to its end, over as many connections as it takes.
class ProcessSession final {
public:
  ProcessSession(Context& context, kj::StringPtr workspace)
      : context(context),
        workspace(workspace),
        output(context.console.wantsJson() ? collectedOutput : context.output),
        errors(context.console.wantsJson() ? collectedErrors : context.errors) {}
  KJ_DISALLOW_COPY_AND_MOVE(ProcessSession);

  kj::Promise<int> run(const CommandLine& command, ProcessInput input);

private:
  using Ended = capnp::Response<rpc::Process::WaitResults>;
  // The lane over which the program is followed.
  struct Attached {
    kj::Own<WorkspaceLane> lane;
    kj::Promise<Ended> waiting;
    kj::Promise<void> feeding;
  };
  // Why the program is not followed to its end.
  using GivenUp = kj::OneOf<int, kj::Exception>;

  kj::Promise<Ended> follow(const CommandLine& command);
  kj::Promise<void> start(kj::Own<WorkspaceLane> lane, const CommandLine& command);
  kj::Promise<void> reattach(kj::Own<WorkspaceLane> lane);
  kj::Promise<Ended> untilEnd();
  kj::Promise<void> feed(rpc::ByteSink::Client sink, uint64_t from);
  kj::Promise<GivenUp> followSignals();
  kj::Promise<GivenUp> untilUnread(kj::Promise<void> shown);
  kj::Promise<void> orderEnd();
  kj::Promise<int> giveUp(GivenUp why);
  void printJson(rpc::ExitStatus::Reader status);

  Context& context;
  kj::StringPtr workspace;
  CollectedOutput collectedOutput;
  CollectedOutput collectedErrors;
  ProgramOutput output;
  ProgramOutput errors;
  ProgramFeed input;
  const kj::String requestId = newRequestId();
  uint32_t attempts = 0;  // to start the program, or to have it again
  // Of the boot in which its start was asked for, once that may have been heard.
  kj::Maybe<int64_t> startedNanos;
  uint64_t id = 0;
  kj::Maybe<Attached> current;
  // From the moment when its start is asked for; none while the connection is lost.
  kj::Maybe<rpc::Process::Client> process;
};

kj::Promise<int> ProcessSession::run(const CommandLine& command, ProcessInput given) {
  auto showing = output.show().fork(), showingErrors = errors.show().fork();
  auto givenUp = untilUnread(showing.addBranch())
                     .exclusiveJoin(untilUnread(showingErrors.addBranch()))
                     .exclusiveJoin(followSignals())
                     .then([this](GivenUp&& why) { return giveUp(kj::mv(why)); });
  kj::Promise<void> reading = kj::READY_NOW;
  if (given == ProcessInput::FORWARDED) {
    reading = input.read(context.input).eagerlyEvaluate([this](kj::Exception&&) {
      input.finish();  // as if it had ended
    });
  } else {
    input.finish();
  }
  auto ended = follow(command).then([&](Ended&& result) {
    output.finish();
    errors.finish();
    // That one of them cannot be written ends `givenUp`, which says so.
    auto shown = kj::joinPromises(kj::arr(showing.addBranch(), showingErrors.addBranch()))
                     .catch_([](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; });
    return shown.then([this, result = kj::mv(result)]() {
      if (context.console.wantsJson()) printJson(result.getStatus());
      if (result.getStatus().isTimedOut()) {
        context.console.note("timeout: the command was ended with all it started");
      }
      auto code = exitCodeOf(result.getStatus());
      // One that is not kept is gone with its end.
      if (id == 0) return kj::Promise<int>(code);
      return orderEnd().then([code]() { return code; });
    });
  });
  co_return co_await ended.exclusiveJoin(kj::mv(givenUp));
}

kj::Promise<ProcessSession::Ended> ProcessSession::follow(const CommandLine& command) {
  WorkspaceConnection connection(context, workspace, WantedLane::commands(), RECONNECT_FOR,
                                 [this](kj::StringPtr text) { context.console.note(text); });
  co_await connection.reconnection().begin(
      [this, &command](auto lane) { return start(kj::mv(lane), command); });
  for (;;) {
    kj::Maybe<Ended> result;
    co_await untilEnd().then([&result](Ended&& ended) { result = kj::mv(ended); },
                             [this](kj::Exception&& exception) {
                               bool isLost =
                                   exception.getType() == kj::Exception::Type::DISCONNECTED;
                               // An agent that knows no `keep` gave no id, and ends the program.
                               if (!isLost || id == 0) kj::throwFatalException(kj::mv(exception));
                             });
    KJ_IF_MAYBE (ended, result) {
      co_return kj::mv(*ended);
    }
    current = nullptr;
    process = nullptr;
    co_await connection.reconnection().run([this](auto lane) { return reattach(kj::mv(lane)); });
  }
}

// Asks for the start of the program, or again for what became of it.
kj::Promise<void> ProcessSession::start(kj::Own<WorkspaceLane> lane, const CommandLine& command) {
  auto& asked = *lane;
  const bool isFirst = startedNanos == nullptr;
  // A request id holds for one boot: in another the program would be started a second time.
  if (startedNanos.orDefault(asked.startedNanos()) != asked.startedNanos()) {
    kj::throwFatalException(lostFor(workspace));
  }
  startedNanos = asked.startedNanos();
  // Also when this is cancelled.
  KJ_DEFER(if (isFirst && asked.wasRefused()) startedNanos = nullptr);
  ++attempts;
  auto processes = asked.agent().processesRequest().send().getProcesses();
  auto execRequest = processes.execRequest();
  command.fill(execRequest.initCommand());
  execRequest.setStdoutFrom(output.position());
  execRequest.setStdout(output.newSink());
  execRequest.setStderrFrom(errors.position());
  execRequest.setStderr(errors.newSink());
  execRequest.setKeep(true);
  execRequest.setRequestId(requestId);
  execRequest.setAttempt(attempts);
  auto executing = execRequest.send();
  // One round trip: the wait is asked for, and the input sent, before it is known that anything runs.
  process = nullptr;
  auto waiting = process.emplace(executing.getProcess()).waitRequest().send();
  kj::Promise<void> feeding = kj::READY_NOW;
  if (isFirst) feeding = feed(executing.getStdin(), 0);

  auto execution = co_await executing;
  auto outcome = execution.getOutcome();
  if (outcome.isFailed()) kj::throwFatalException(describeFailure(outcome.getFailed()));
  if (outcome.isGone()) kj::throwFatalException(lostFor(workspace));
  if (!outcome.isStarted()) kj::throwFatalException(newerSupervisor());
  KJ_IF_MAYBE (text, describeStart(outcome)) {
    context.console.note(*text);
  }
  id = execution.getId();
  if (!isFirst) feeding = feed(execution.getStdin(), execution.getStdinReceived());
  current = Attached{kj::mv(lane), kj::mv(waiting), kj::mv(feeding)};
}

kj::Promise<void> ProcessSession::reattach(kj::Own<WorkspaceLane> lane) {
  auto processes = lane->agent().processesRequest().send().getProcesses();
  auto request = processes.reattachRequest();
  request.setId(id);
  request.setAttempt(++attempts);
  request.setStdoutFrom(output.position());
  request.setStdout(output.newSink());
  request.setStderrFrom(errors.position());
  request.setStderr(errors.newSink());
  auto answer = co_await request.send();
  if (answer.getOutcome().isAbsent()) kj::throwFatalException(lostFor(workspace));
  auto waiting = process.emplace(answer.getProcess()).waitRequest().send();
  auto feeding = feed(answer.getStdin(), answer.getStdinReceived());
  current = Attached{kj::mv(lane), kj::mv(waiting), kj::mv(feeding)};
}

kj::Promise<ProcessSession::Ended> ProcessSession::untilEnd() {
  auto& attached = KJ_ASSERT_NONNULL(current);
  auto lost = attached.lane->onDisconnect().then(
      []() -> kj::Promise<Ended> { return KJ_EXCEPTION(DISCONNECTED, "the connection was lost"); });
  return kj::mv(attached.waiting).exclusiveJoin(kj::mv(lost));
}

kj::Promise<void> ProcessSession::feed(rpc::ByteSink::Client sink, uint64_t from) {
  return input.sendTo(kj::mv(sink), from).eagerlyEvaluate([](kj::Exception&&) {
    // The program does not read its input any more, which is its right, or the connection was lost.
  });
}

void ProcessSession::printJson(rpc::ExitStatus::Reader status) {
  context.console.print(jsonLine<result::Executed>([&](auto result) {
    result.setStatus(status);
    collectedOutput.fill(result.initStdout());
    collectedErrors.fill(result.initStderr());
  }));
}

kj::Promise<ProcessSession::GivenUp> ProcessSession::followSignals() {
  int number = co_await context.signals.next();
  // One that comes before the program runs, or while nobody reaches it, is not for the program.
  if (current != nullptr) {
    auto request = KJ_ASSERT_NONNULL(process).signalRequest();
    request.setNumber(static_cast<uint8_t>(number));
    // As a terminal would: to what the command has started too.
    request.setScope(rpc::SignalScope::TREE);
    auto sending = request.send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {});
    number = co_await context.signals.next();
  }
  context.console.note("gave up: the command is ended with all it started");
  co_return GivenUp(SIGNAL_BASE + number);
}

kj::Promise<ProcessSession::GivenUp> ProcessSession::untilUnread(kj::Promise<void> shown) {
  return shown.then(
      // That everything is shown is no reason to give up.
      []() -> kj::Promise<GivenUp> { return kj::NEVER_DONE; },
      [this](kj::Exception&& exception) -> kj::Promise<GivenUp> {
        if (!isOutputClosed(exception)) {
          return GivenUp(
              failure(kj::str(describe(exception).message, ": the command is ended"), EXEC_FAILED));
        }
        context.console.note("nobody reads the output any more: the command is ended");
        return GivenUp(int{OUTPUT_CLOSED});
      });
}

// Ends the program, or has it forgotten where it has ended: the agent remembers only so many of those that nobody holds.  Where that
// cannot be told to the agent, it does so itself after rpc::PROCESS_KEEP_MILLIS.
kj::Promise<void> ProcessSession::orderEnd() {
  KJ_IF_MAYBE (p, process) {
    auto ordered = p->endRequest().send().ignoreResult();
    co_await context.timer.timeoutAfter(END_LIMIT, kj::mv(ordered)).catch_([](kj::Exception&&) {});
  }
}

kj::Promise<int> ProcessSession::giveUp(GivenUp why) {
  co_await orderEnd();
  KJ_IF_MAYBE (exception, why.tryGet<kj::Exception>()) kj::throwFatalException(kj::mv(*exception));
  co_return why.get<int>();
}

}  // namespace

kj::Promise<int> runProcess(Context& context, kj::StringPtr workspace, const CommandLine& command,
                            ProcessInput input) {
  ProcessSession session(context, workspace);
  co_return co_await session.run(command, input);
}

}  // namespace bothy
