#include "session/process-session.h"

#include <signal.h>

#include <kj/debug.h>

#include "client/kept-program.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "result/cli.capnp.h"
#include "session/collected-output.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

kj::Exception lostFor(kj::StringPtr workspace) {
  return failure(kj::str("the connection to ", workspace,
                         " was lost for too long, or it was started anew: the command was ended, ",
                         "and how far it came is not known"),
                 EXEC_FAILED);
}

// A program between the streams and signals of this process.
class ProcessSession final {
public:
  ProcessSession(Context& context, kj::StringPtr workspace, kj::Maybe<StartWorkspace> start)
      : context(context),
        workspace(workspace),
        output(context.console.wantsJson() ? collectedOutput : context.output),
        errors(context.console.wantsJson() ? collectedErrors : context.errors),
        connection(
            context, workspace, WantedLane::commands(), KeptProgram::KEPT_FOR,
            [this](kj::StringPtr text) { this->context.console.note(text); }, kj::mv(start)),
        program(connection.reconnection(), context.timer, {output, errors, input}) {}
  KJ_DISALLOW_COPY_AND_MOVE(ProcessSession);

  kj::Promise<int> run(const CommandLine& command, ProcessInput input);

private:
  // Why the program is not followed to its end.
  using GivenUp = kj::OneOf<int, kj::Exception>;

  kj::Promise<KeptProgram::Ended> follow(const CommandLine& command);
  kj::Promise<GivenUp> followSignals();
  kj::Promise<GivenUp> untilUnread(kj::Promise<void> shown);
  kj::Promise<GivenUp> untilUnreadable(ProcessInput given);
  kj::Promise<int> giveUp(GivenUp why);
  // What giving up means for the command, as far as it can be known here.
  kj::String fate() const;
  void printJson(rpc::ExitStatus::Reader status);
  // So many bytes of its outputs the workspace did not keep.
  uint64_t lost() const { return output.lost() + errors.lost(); }
  void requireWhole(int code) const;

  Context& context;
  kj::StringPtr workspace;
  CollectedOutput collectedOutput;
  CollectedOutput collectedErrors;
  ProgramOutput output;
  ProgramOutput errors;
  ProgramFeed input;
  WorkspaceConnection connection;
  KeptProgram program;
  bool wasReached = false;  // its start was answered at least once
};

kj::Promise<int> ProcessSession::run(const CommandLine& command, ProcessInput given) {
  context.signals.takeQuit();
  auto showing = output.show().fork(), showingErrors = errors.show().fork();
  auto givenUp = untilUnread(showing.addBranch())
                     .exclusiveJoin(untilUnread(showingErrors.addBranch()))
                     .exclusiveJoin(untilUnreadable(given))
                     .exclusiveJoin(followSignals())
                     .then([this](GivenUp&& why) { return giveUp(kj::mv(why)); });
  auto ended = follow(command).then([&](KeptProgram::Ended&& result) {
    output.finish();
    errors.finish();
    // That one of them cannot be written ends `givenUp`, which says so.
    auto shown = kj::joinPromises(kj::arr(showing.addBranch(), showingErrors.addBranch()))
                     .catch_([](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; });
    return shown.then([this, result = kj::mv(result)]() {
      if (context.console.wantsJson() && lost() == 0) printJson(result.getStatus());
      if (result.getStatus().isTimedOut()) {
        context.console.note("timeout: the command was ended with all it started");
      }
      KJ_IF_MAYBE (text, describeOutOfMemory(result.getStatus())) context.console.note(*text);
      auto code = exitCodeOf(result.getStatus());
      return program.end().then([this, code]() {
        requireWhole(code);
        return code;
      });
    });
  });
  co_return co_await ended.exclusiveJoin(kj::mv(givenUp));
}

kj::Promise<KeptProgram::Ended> ProcessSession::follow(const CommandLine& command) {
  auto end =
      co_await program.follow([&command](rpc::Command::Builder builder) { command.fill(builder); },
                              [this](rpc::Processes::ExecOutcome::Reader started) {
                                wasReached = true;
                                KJ_IF_MAYBE (text, describeStart(started)) {
                                  context.console.note(*text);
                                }
                              });
  KJ_SWITCH_ONEOF(end) {
    KJ_CASE_ONEOF(ended, KeptProgram::Ended) co_return kj::mv(ended);
    KJ_CASE_ONEOF(notStarted, KeptProgram::NotStarted) {
      auto outcome = notStarted.getOutcome();
      if (outcome.isFailed()) kj::throwFatalException(describeFailure(outcome.getFailed()));
      kj::throwFatalException(newerSupervisor());
    }
    KJ_CASE_ONEOF(lost, KeptProgram::Lost) kj::throwFatalException(lostFor(workspace));
  }
  KJ_UNREACHABLE;
}

void ProcessSession::printJson(rpc::ExitStatus::Reader status) {
  context.console.print(jsonLine<result::Executed>([&](auto result) {
    result.setStatus(status);
    collectedOutput.fill(result.initStdout());
    collectedErrors.fill(result.initStderr());
  }));
}

void ProcessSession::requireWhole(int code) const {
  if (lost() == 0) return;
  kj::throwFatalException(failure(kj::str("the command has ended with exit code ", code, ", and ",
                                          lost(), " bytes of its output are missing: ", workspace,
                                          " did not keep them while the connection was lost"),
                                  EXEC_FAILED));
}

kj::Promise<ProcessSession::GivenUp> ProcessSession::followSignals() {
  int number = co_await context.signals.next();
  kj::Promise<void> sending = kj::READY_NOW;
  auto passOn = [&]() {
    auto sent = program.signal(static_cast<uint8_t>(number)).catch_([](kj::Exception&&) {});
    sending = kj::joinPromises(kj::arr(kj::mv(sending), kj::mv(sent))).eagerlyEvaluate(nullptr);
  };
  // One that comes before the program runs, or while nobody reaches it, is not for the program.
  for (bool wasPassedOn = false; program.isReached() && (number == SIGQUIT || !wasPassedOn);) {
    wasPassedOn = wasPassedOn || number != SIGQUIT;
    passOn();
    number = co_await context.signals.next();
  }
  context.console.note(kj::str("gave up: ", fate()));
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

// Input that broke off is not told as one that has ended: a program would take a part of it for the whole.
kj::Promise<ProcessSession::GivenUp> ProcessSession::untilUnreadable(ProcessInput given) {
  if (given == ProcessInput::NONE) {
    input.finish();
    return kj::NEVER_DONE;
  }
  return input.read(context.input)
      .then([]() -> kj::Promise<GivenUp> { return kj::NEVER_DONE; },
            [this](kj::Exception&& exception) -> kj::Promise<GivenUp> {
              if (isInputClosed(exception)) {
                input.finish();
                return kj::NEVER_DONE;
              }
              return GivenUp(
                  failure(kj::str(describe(exception).message, ": ", fate()), EXEC_FAILED));
            })
      .eagerlyEvaluate(nullptr);
}

kj::String ProcessSession::fate() const {
  if (program.isReached()) return kj::str("the command is ended with all it started");
  // Its start may have been asked for, and no answer came.
  if (!wasReached) return kj::str("whether the command ran, or ended, is not known");
  return kj::str("the workspace ends the command with all it started within ",
                 KeptProgram::KEPT_FOR / kj::SECONDS, " s");
}

kj::Promise<int> ProcessSession::giveUp(GivenUp why) {
  co_await program.end();
  KJ_IF_MAYBE (exception, why.tryGet<kj::Exception>()) kj::throwFatalException(kj::mv(*exception));
  co_return why.get<int>();
}

}  // namespace

kj::Promise<int> runProcess(Context& context, kj::StringPtr workspace, const CommandLine& command,
                            ProcessInput input, kj::Maybe<StartWorkspace> start) {
  ProcessSession session(context, workspace, kj::mv(start));
  co_return co_await session.run(command, input);
}

}  // namespace bothy
