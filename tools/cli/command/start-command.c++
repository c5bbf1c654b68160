#include "command/command.h"
#include "command/setup-report.h"
#include "command/stage-display.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

class StartCommand final: public Command {
public:
  StartCommand() : Command({"start", "start a workspace", FAILURE, false, true}) {}

  void declare(Usage& usage) override {
    usage.form("NAME");
    usage.describe(
        "Starts a workspace and waits until it is ready.  One that is paused is resumed; one that "
        "has "
        "expired is made anew, with an empty disk; one that "
        "runs is left as it is, "
        "also where it is just powering itself off: `bothy up` starts it again then.",
        "The exit code is 1 where it runs and its set-up has failed, and where it does not run any "
        "more "
        "when that is over.\n\n"
        "With --json: the workspace, as `bothy ls --json` shows it.");
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
};

kj::Promise<int> StartCommand::run(Context& context, Usage& usage) {
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
      auto started = outcome.getStarted();
      if (context.console.wantsJson()) context.console.print(kj::str(toJson(started), "\n"));
      auto took = formatDuration(context.timer.now() - begun);
      co_return reportStart(context.console, started, kj::str(name, " is running after ", took));
    }
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case Outcome::BUSY:
      kj::throwFatalException(workspaceBusy(name, outcome.getBusy()));
    case Outcome::FAILED:
      failStart(context.console, name, outcome.getFailed());
    case Outcome::STOPPED:
      kj::throwFatalException(stoppedBeforeItRan(name));
    case Outcome::NO_CAPACITY:
      kj::throwFatalException(noCapacity(name, outcome.getNoCapacity()));
    case Outcome::UNDERWAY:
      kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
  }
  kj::throwFatalException(newerSupervisor());
}

}  // namespace

kj::Own<Command> startCommand() {
  return kj::heap<StartCommand>();
}

}  // namespace bothy
