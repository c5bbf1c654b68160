#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Writes the memory of a workspace to its encrypted place on the disk and ends its machine: it takes neither processor
time nor memory, and all that runs in it goes on where it was when it is resumed, by `bothy resume`, by the next command, or by a key in
one of its terminals.)"_kj;

class HibernateCommand final: public Command {
public:
  HibernateCommand()
      : Command({"hibernate", "keep a workspace on the disk alone", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("NAME");
    usage.describe(TEXT, "With --json: the workspace, as `bothy ls --json` shows it.");
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
};

kj::Promise<int> HibernateCommand::run(Context& context, Usage& usage) {
  const auto begun = context.timer.now();
  auto link = context.connector.connect();
  auto request = link->supervisor().hibernateRequest();
  request.setName(name);
  auto response = co_await request.send();
  using Outcome = rpc::HibernateOutcome;
  using State = rpc::WorkspaceState;
  auto outcome = response.getOutcome();
  auto fail = [this](kj::StringPtr why) {
    kj::throwFatalException(
        failure(kj::str(name, " could not be hibernated: ", escapeGuestText(why.asArray()))));
  };
  switch (outcome.which()) {
    case Outcome::HIBERNATED:
      if (context.console.wantsJson()) {
        context.console.print(kj::str(toJson(outcome.getHibernated()), "\n"));
      } else {
        context.console.note(kj::str(name, " is hibernated after ",
                                     formatDuration(context.timer.now() - begun), ", with ",
                                     formatBytes(outcome.getHibernated().getSavedBytes())));
      }
      co_return SUCCESS;
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case Outcome::NOT_RUNNING:
      if (outcome.getNotRunning() == State::STOPPED || outcome.getNotRunning() == State::FAILED) {
        kj::throwFatalException(
            failure(kj::str(name, " does not run (", nameOf(outcome.getNotRunning()),
                            "): there is nothing to hibernate")));
      }
      kj::throwFatalException(workspaceBusy(name, outcome.getNotRunning()));
    case Outcome::FAILED:
      fail(outcome.getFailed());
      break;
    case Outcome::NO_SPACE:
      fail(outcome.getNoSpace());
      break;
    case Outcome::NO_CAPACITY:
      fail(outcome.getNoCapacity().getWhy());
      break;
    case Outcome::UNDERWAY:
      kj::throwFatalException(failure(kj::str(
          name, " is still being hibernated: ", escapeGuestText(outcome.getUnderway().asArray()))));
  }
  kj::throwFatalException(newerSupervisor());
}

}  // namespace

kj::Own<Command> hibernateCommand() {
  return kj::heap<HibernateCommand>();
}

}  // namespace bothy
