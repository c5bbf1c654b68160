#include "command/activity-text.h"
#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "supervisor/outcome.h"
#include "supervisor/repeated-question.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Says what keeps a workspace awake: who is connected, wake locks (`bothy wake`), and what its guest says; or
which rule has put it to rest, and when.  And what comes next: a workspace that nobody uses is paused, hibernated and in the end
expires, as its tier says or `bothy idle`.  A program that was left in a terminal keeps nothing awake: `bothy-wake` within the
workspace does, or `bothy wake`.)"_kj;

class WhyCommand final: public Command {
public:
  WhyCommand() : Command({"why", "say what keeps a workspace awake", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("NAME");
    usage.describe(TEXT, "With --json: a Wakefulness of activity.capnp.");
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    co_await askUntilAnswered(context.timer, [&] { return ask(context); });
    co_return SUCCESS;
  }

private:
  kj::StringPtr name;

  kj::Promise<void> ask(Context& context) {
    auto link = context.connector.connect();
    auto request = link->supervisor().activityRequest().send().getActivity().whyRequest();
    request.setWorkspace(name);
    auto response = co_await request.send();
    auto outcome = response.getOutcome();
    switch (outcome.which()) {
      case rpc::WorkspaceActivity::WhyOutcome::FOUND:
        if (context.console.wantsJson()) {
          context.console.print(kj::str(toJson(outcome.getFound()), "\n"));
        } else {
          context.console.print(kj::str(tableOf(outcome.getFound().getReasons()),
                                        summaryOf(name, outcome.getFound())));
        }
        co_return;
      case rpc::WorkspaceActivity::WhyOutcome::ABSENT:
        kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    }
    kj::throwFatalException(newerSupervisor());
  }
};

}  // namespace

kj::Own<Command> whyCommand() {
  return kj::heap<WhyCommand>();
}

}  // namespace bothy
