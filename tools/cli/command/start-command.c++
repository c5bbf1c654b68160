#include "command/command.h"
#include "command/stage-display.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy start NAME

Starts a workspace and waits until it is ready.  One that runs is left as it is.
With --json the result is the workspace, as `ls --json` shows it.
)"_kj;

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  OptionParser parser(self.name);
  addCommonOptions(context, parser);
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  auto name = oneOperand(self, arguments, "name");

  StageDisplay display(context.console, context.timer);
  auto begun = context.timer.now();
  auto link = context.connector.connect();
  auto request = link->supervisor().startRequest();
  request.setName(name);
  request.setProgress(display.progress());
  auto response = co_await request.send();

  using Outcome = rpc::Supervisor::StartOutcome;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::STARTED: {
      display.finish();
      if (context.console.wantsJson()) {
        context.console.print(kj::str(toJson(outcome.getStarted()), "\n"));
      } else {
        context.console.note(
            kj::str(name, " is running after ", formatDuration(context.timer.now() - begun)));
      }
      co_return SUCCESS;
    }
    case Outcome::ABSENT:
      kj::throwFatalException(noSuchWorkspace(name));
    case Outcome::BUSY:
      kj::throwFatalException(workspaceBusy(name, outcome.getBusy()));
    case Outcome::FAILED:
      failStart(context.console, name, outcome.getFailed());
    case Outcome::STOPPED:
      kj::throwFatalException(stoppedBeforeItRan(name));
  }
  kj::throwFatalException(newerSupervisor());
}

}  // namespace

Command startCommand() {
  return {"start", "start a workspace", HELP, run, FAILURE, false};
}

}  // namespace bothy
