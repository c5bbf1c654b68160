#include <kj/debug.h>

#include "command/command.h"
#include "command/stage-display.h"
#include "command/terminal-options.h"
#include "console/failure.h"
#include "session/process-session.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy up [OPTION]... [NAME] [-- COMMAND [ARGUMENT]...]

From nothing to a terminal: makes the workspace if there is none, starts it if it does not run, and opens
a shell in it, or runs the command as `bothy exec` does.  NAME: "home" if it is not given.

  -u, --user USER      as this user of the workspace (user)
  -w, --workdir DIR    in this directory (the user's home)
  -e, --env NAME=TEXT  with this variable; may be repeated
      --detach-keys K  what leaves the terminal ("ctrl-],."); "none"
)"_kj;

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
    if (found.getFound().getState() == rpc::WorkspaceState::RUNNING) co_return;
    auto request = supervisor.startRequest();
    request.setName(name);
    request.setProgress(display.progress());
    auto response = co_await request.send();
    auto outcome = response.getOutcome();
    if (outcome.isAbsent()) kj::throwFatalException(noSuchWorkspace(name));
    if (outcome.isBusy()) kj::throwFatalException(workspaceBusy(name, outcome.getBusy()));
    if (outcome.isStopped()) kj::throwFatalException(stoppedBeforeItRan(name));
    if (outcome.isFailed()) failStart(context.console, name, outcome.getFailed());
    display.finish();
    co_return;
  }
  const kj::StringPtr arguments[] = {name};
  auto create = createCommand();
  co_await create.run(context, create, arguments);
}

kj::Promise<int> upAndRun(Context& context, kj::StringPtr name, const CommandLine& command,
                          DetachKeys keys) {
  auto interrupted = context.signals.next().then([](int number) { return SIGNAL_BASE + number; });
  int code = co_await ensureRunning(context, name)
                 .then([] { return int{SUCCESS}; })
                 .exclusiveJoin(kj::mv(interrupted));
  if (code != SUCCESS) co_return code;
  if (command.arguments.size() == 0) {
    co_return co_await runInTerminal(context, name, command, kj::mv(keys));
  }
  co_return co_await runProcess(context, name, command, ProcessInput::FORWARDED);
}

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  CommandLine command;
  auto keys = KJ_ASSERT_NONNULL(DetachKeys::parse(DetachKeys::DEFAULT));
  OptionParser parser(self.name, OptionParser::Command::AFTER_DASHES);
  addCommonOptions(context, parser);
  command.addOptionsTo(parser);
  addDetachKeys(parser, keys);
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  command.arguments = kj::mv(arguments.command);
  auto name = arguments.operands.size() == 0 ? DEFAULT_NAME : oneOperand(self, arguments, "name");
  co_return co_await upAndRun(context, name, command, kj::mv(keys));
}

}  // namespace

Command upCommand() {
  return {"up", "make, start and enter a workspace", HELP, run, EXEC_FAILED, true};
}

}  // namespace bothy
