#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Destroys the files of a workspace, its disk and the key of that, and keeps the workspace: its name, whose it is and what it is made of.  `bothy start`
and `bothy user ensure` make it anew, with an empty disk.  One that runs or is paused is refused without -f;
one that is stopped, has failed or is hibernated is taken as it is.)"_kj;

class ExpireCommand final: public Command {
public:
  ExpireCommand()
      : Command({"expire", "destroy a workspace's files and keep what it is made of", FAILURE,
                 false}) {}

  void declare(Usage& usage) override {
    usage.form("[-f] NAME");
    usage.describe(TEXT, "With --json: the workspace, as `bothy ls --json` shows it.");
    usage.flag('f', "force", "also one that runs or is paused, which is stopped by force first",
               force);
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
  bool force = false;

  kj::Promise<void> stop(rpc::Supervisor::Client supervisor);
};

// Whatever came of that is seen by whoever is expired then.
kj::Promise<void> ExpireCommand::stop(rpc::Supervisor::Client supervisor) {
  auto request = supervisor.stopRequest();
  request.setName(name);
  request.setGraceMillis(0);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isUnderway()) kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
}

kj::Promise<int> ExpireCommand::run(Context& context, Usage& usage) {
  auto link = context.connector.connect();
  auto supervisor = link->supervisor();
  if (force) co_await stop(supervisor);
  auto request = supervisor.expireRequest();
  request.setName(name);
  auto response = co_await request.send();
  using Outcome = rpc::Supervisor::ExpireOutcome;
  using State = rpc::WorkspaceState;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::EXPIRED:
      if (context.console.wantsJson()) {
        context.console.print(kj::str(toJson(outcome.getExpired()), "\n"));
      } else {
        context.console.note(kj::str(name, " has expired, and its disk is gone: `bothy start ",
                                     name, "` makes it anew"));
      }
      co_return SUCCESS;
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(supervisor, name));
    case Outcome::BUSY: {
      const auto state = outcome.getBusy();
      if (state == State::RUNNING || state == State::STARTING || isHalted(state)) {
        kj::throwFatalException(failure(kj::str(name, " is ", nameOf(state), ": `bothy stop ", name,
                                                "` first, or `bothy expire -f ", name, "`")));
      }
      kj::throwFatalException(workspaceBusy(name, state));
    }
    case Outcome::UNDERWAY:
      kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
    case Outcome::FAILED:
      kj::throwFatalException(
          failure(kj::str(name, " cannot expire: ", escapeGuestText(outcome.getFailed().asArray()),
                          ": `bothy rm ", name, "` removes it")));
  }
  kj::throwFatalException(newerSupervisor());
}

}  // namespace

kj::Own<Command> expireCommand() {
  return kj::heap<ExpireCommand>();
}

}  // namespace bothy
