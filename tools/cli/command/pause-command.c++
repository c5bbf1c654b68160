#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Stops the processors of a workspace and keeps its memory: it takes no processor time, and all that runs in it
goes on where it was when it is resumed, by `bothy resume`, by the next command, or by a key in one of its terminals.)"_kj;

class PauseCommand final: public Command {
public:
  PauseCommand() : Command({"pause", "let a workspace stand still", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("NAME");
    usage.describe(TEXT, "With --json: the workspace, as `bothy ls --json` shows it.");
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
};

kj::Promise<int> PauseCommand::run(Context& context, Usage& usage) {
  auto link = context.connector.connect();
  auto request = link->supervisor().pauseRequest();
  request.setName(name);
  auto response = co_await request.send();
  using Outcome = rpc::Supervisor::PauseOutcome;
  using State = rpc::WorkspaceState;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::PAUSED:
      if (context.console.wantsJson()) {
        context.console.print(kj::str(toJson(outcome.getPaused()), "\n"));
      } else {
        context.console.note(kj::str(name, " is paused"));
      }
      co_return SUCCESS;
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case Outcome::NOT_RUNNING:
      if (outcome.getNotRunning() == State::STOPPED || outcome.getNotRunning() == State::FAILED) {
        kj::throwFatalException(
            failure(kj::str(name, " does not run (", nameOf(outcome.getNotRunning()),
                            "): there is nothing to pause")));
      }
      kj::throwFatalException(workspaceBusy(name, outcome.getNotRunning()));
    case Outcome::FAILED:
      kj::throwFatalException(failure(
          kj::str(name, " could not be paused: ", escapeGuestText(outcome.getFailed().asArray()))));
    case Outcome::UNDERWAY:
      kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
  }
  kj::throwFatalException(newerSupervisor());
}

}  // namespace

kj::Own<Command> pauseCommand() {
  return kj::heap<PauseCommand>();
}

}  // namespace bothy
