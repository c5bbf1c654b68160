#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

class ResumeCommand final: public Command {
public:
  ResumeCommand()
      : Command({"resume", "let a paused or hibernated workspace go on", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("NAME");
    usage.describe(
        "Lets a paused or hibernated workspace go on, with its clock set, and waits until it can "
        "be used.  One that runs is left as it is.",
        "With --json: the workspace, as `bothy ls --json` shows it.");
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
};

kj::Promise<int> ResumeCommand::run(Context& context, Usage& usage) {
  const auto begun = context.timer.now();
  auto link = context.connector.connect();
  auto request = link->supervisor().resumeRequest();
  request.setName(name);
  auto response = co_await request.send();
  using Outcome = rpc::Supervisor::ResumeOutcome;
  using State = rpc::WorkspaceState;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::RESUMED:
      if (context.console.wantsJson()) {
        context.console.print(kj::str(toJson(outcome.getResumed()), "\n"));
      } else {
        context.console.note(
            kj::str(name, " is running after ", formatDuration(context.timer.now() - begun)));
      }
      co_return SUCCESS;
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case Outcome::NOT_PAUSED:
      if (outcome.getNotPaused() == State::STOPPED || outcome.getNotPaused() == State::FAILED) {
        kj::throwFatalException(
            failure(kj::str(name, " is not paused (", nameOf(outcome.getNotPaused()),
                            "): `bothy start ", name, "` starts it")));
      }
      kj::throwFatalException(workspaceBusy(name, outcome.getNotPaused()));
    case Outcome::FAILED:
      kj::throwFatalException(failure(kj::str(
          name, " could not be resumed: ", escapeGuestText(outcome.getFailed().asArray()))));
    case Outcome::STOPPED:
      kj::throwFatalException(failure(kj::str(name, " was stopped before it went on")));
    case Outcome::UNDERWAY:
      kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
  }
  kj::throwFatalException(newerSupervisor());
}

}  // namespace

kj::Own<Command> resumeCommand() {
  return kj::heap<ResumeCommand>();
}

}  // namespace bothy
