#include <kj/debug.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "result/cli.capnp.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

kj::Promise<void> requireNotRunning(rpc::Supervisor::Client supervisor, kj::StringPtr name) {
  auto request = supervisor.getRequest();
  request.setName(name);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (!outcome.isFound()) co_return;
  auto state = outcome.getFound().getState();
  if (state != rpc::WorkspaceState::RUNNING && state != rpc::WorkspaceState::STARTING) co_return;
  kj::throwFatalException(failure(kj::str(name, " is ", nameOf(state), ": `bothy stop ", name,
                                          "` first, or `bothy rm -f ", name, "`")));
}

class RemoveCommand final: public Command {
public:
  RemoveCommand() : Command({"rm", "destroy workspaces with their files", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[-f] NAME...");
    usage.describe(
        "Destroys workspaces with all their files.  One that runs is refused without -f.",
        R"(With --json: {"deleted":[NAME...]}.)");
    usage.flag('f', "force", "also running ones, by force; one that does not exist is no failure",
               force);
    usage.operands(WORKSPACE, names);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  bool force = false;
  kj::Vector<kj::StringPtr> names;
};

kj::Promise<int> RemoveCommand::run(Context& context, Usage& usage) {
  auto link = context.connector.connect();
  auto supervisor = link->supervisor();
  kj::Vector<kj::StringPtr> deleted;
  for (auto name : names) {
    if (!force) co_await requireNotRunning(supervisor, name);
    auto request = supervisor.deleteRequest();
    request.setName(name);
    auto response = co_await request.send();
    if (response.getOutcome().isAbsent()) {
      if (!force) kj::throwFatalException(co_await noSuchWorkspace(supervisor, name));
      continue;
    }
    auto outcome = response.getOutcome();
    if (outcome.isUnderway()) kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
    if (!outcome.isDeleted()) kj::throwFatalException(newerSupervisor());
    context.console.note(kj::str(escapeGuestText(name.asArray()), " is gone, with its disk"));
    deleted.add(name);
  }
  if (context.console.wantsJson()) {
    context.console.print(jsonLine<result::Deleted>([&](auto result) {
      auto list = result.initDeleted(static_cast<kj::uint>(deleted.size()));
      for (kj::uint i = 0; i < list.size(); ++i) list.set(i, deleted[i]);
    }));
  }
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> removeCommand() {
  return kj::heap<RemoveCommand>();
}

}  // namespace bothy
