#include <kj/debug.h>

#include "command/command.h"
#include "command/create-command.h"
#include "command/stage-display.h"
#include "command/terminal-options.h"
#include "console/failure.h"
#include "session/process-session.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(From nothing to a terminal: makes the workspace if there is none, starts or resumes it if it does not run, also
where it is just powering itself off, and opens a shell in it, or runs the command as `bothy exec` does.  One that has expired comes
back with an empty disk.
NAME: "home" if it is not given.)"_kj;
constexpr kj::StringPtr DEFAULT_NAME = "home"_kj;

kj::Promise<void> ensureRunning(Context& context, kj::StringPtr name) {
  StageDisplay display(context.console, context.timer);
  auto link = context.connector.connect();
  auto supervisor = link->supervisor();

  // The likely case first, and without a word: it runs.
  auto getRequest = supervisor.getRequest();
  getRequest.setName(name);
  auto got = co_await getRequest.send();
  auto found = got.getOutcome();
  if (found.isFound()) {
    const auto state = found.getFound().getState();
    // Who connects waits for the end of a pause or a hibernation that is under way.
    if (state == rpc::WorkspaceState::RUNNING || state == rpc::WorkspaceState::PAUSING ||
        state == rpc::WorkspaceState::HIBERNATING) {
      co_return;
    }
    auto request = supervisor.startRequest();
    request.setName(name);
    request.setProgress(display.progress());
    auto response = co_await request.send();
    auto outcome = response.getOutcome();
    if (outcome.isAbsent()) kj::throwFatalException(co_await noSuchWorkspace(supervisor, name));
    if (outcome.isBusy()) kj::throwFatalException(workspaceBusy(name, outcome.getBusy()));
    if (outcome.isStopped()) kj::throwFatalException(stoppedBeforeItRan(name));
    if (outcome.isUnderway()) kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
    if (outcome.isNoCapacity()) {
      kj::throwFatalException(noCapacity(name, outcome.getNoCapacity()));
    }
    if (outcome.isFailed()) failStart(context.console, name, outcome.getFailed());
    display.finish();
    co_return;
  }
  NewWorkspace workspace;
  workspace.name = name;
  co_await createWorkspace(context, workspace).ignoreResult();
}

kj::Promise<int> upAndRun(Context& context, kj::StringPtr name, const CommandLine& command,
                          DetachKeys keys) {
  auto interrupted = context.signals.next().then([](int number) { return SIGNAL_BASE + number; });
  int code = co_await ensureRunning(context, name)
                 .then([] { return int{SUCCESS}; })
                 .exclusiveJoin(kj::mv(interrupted));
  if (code != SUCCESS) co_return code;
  // One that ran then may be going down: its guest has been told to power off, say.
  StartWorkspace start = [&context, name]() { return ensureRunning(context, name); };
  if (command.arguments.size() == 0) {
    co_return co_await runInTerminal(context, name, command, kj::mv(keys), kj::mv(start));
  }
  co_return co_await runProcess(context, name, command, ProcessInput::FORWARDED, kj::mv(start));
}

class UpCommand final: public Command {
public:
  UpCommand() : Command({"up", "make, start and enter a workspace", EXEC_FAILED, true}) {}

  void declare(Usage& usage) override {
    usage.form("[OPTION]... [NAME] [-- COMMAND [ARGUMENT]...]");
    usage.describe(TEXT);
    command.declareOptions(usage);
    declareDetachKeys(usage, keys);
    usage.optionalOperand(WORKSPACE, name);
    usage.commandLineAfterDashes(command.arguments);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    return upAndRun(context, name, command, kj::mv(keys));
  }

private:
  kj::StringPtr name = DEFAULT_NAME;
  CommandLine command;
  DetachKeys keys = defaultDetachKeys();
};

}  // namespace

kj::Own<Command> upCommand() {
  return kj::heap<UpCommand>();
}

}  // namespace bothy
