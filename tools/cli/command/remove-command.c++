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
  switch (state) {
    case rpc::WorkspaceState::RUNNING:
    case rpc::WorkspaceState::STARTING:
    case rpc::WorkspaceState::PAUSED:
    case rpc::WorkspaceState::PAUSING:
    case rpc::WorkspaceState::RESUMING:
    case rpc::WorkspaceState::HIBERNATED:
    case rpc::WorkspaceState::HIBERNATING:
      break;
    default:
      co_return;
  }
  kj::throwFatalException(failure(kj::str(name, " is ", nameOf(state), ": `bothy stop ", name,
                                          "` first, or `bothy rm -f ", name, "`")));
}

class RemoveCommand final: public Command {
public:
  RemoveCommand() : Command({"rm", "destroy workspaces with their files", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[-f] NAME...");
    usage.describe(
        "Destroys workspaces with all their files.  One that runs, is paused or hibernated is "
        "refused "
        "without -f.  The "
        "others are "
        "destroyed all the same.",
        R"(With --json: {"deleted":[NAME...]}, and behind it the error of one that is not, if so.)");
    usage.flag('f', "force", "also running ones, by force; one that does not exist is no failure",
               force);
    usage.operands(WORKSPACE, names);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  bool force = false;
  kj::Vector<kj::StringPtr> names;

  // False: there is none, which is no failure.
  kj::Promise<bool> remove(rpc::Supervisor::Client supervisor, kj::StringPtr name);
};

kj::Promise<int> RemoveCommand::run(Context& context, Usage& usage) {
  auto link = context.connector.connect();
  auto supervisor = link->supervisor();
  kj::Vector<kj::StringPtr> deleted;
  // Of the first that is not deleted.  The others are all the same, unless bothyd is gone.
  kj::Maybe<kj::Exception> first;
  for (auto name : names) {
    kj::Maybe<kj::Exception> fault;
    try {
      if (co_await remove(supervisor, name)) {
        context.console.note(kj::str(escapeGuestText(name.asArray()), " is gone, with its disk"));
        deleted.add(name);
      }
    } catch (...) {
      fault = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, fault) {
      const bool isLost = e->getType() == kj::Exception::Type::DISCONNECTED;
      if (first == nullptr) {
        first = kj::mv(*e);
      } else {
        context.console.note(describe(*e).message);
      }
      if (isLost) break;
    }
  }
  // Also where others are not: what is gone cannot be asked for any more.
  if (context.console.wantsJson() && (first == nullptr || deleted.size() > 0)) {
    context.console.print(jsonLine<result::Deleted>([&](auto result) {
      auto list = result.initDeleted(static_cast<kj::uint>(deleted.size()));
      for (kj::uint i = 0; i < list.size(); ++i) list.set(i, deleted[i]);
    }));
  }
  KJ_IF_MAYBE (e, first) kj::throwFatalException(kj::mv(*e));
  co_return SUCCESS;
}

kj::Promise<bool> RemoveCommand::remove(rpc::Supervisor::Client supervisor, kj::StringPtr name) {
  if (!force) co_await requireNotRunning(supervisor, name);
  auto request = supervisor.deleteRequest();
  request.setName(name);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isAbsent()) {
    if (!force) kj::throwFatalException(co_await noSuchWorkspace(supervisor, name));
    co_return false;
  }
  if (outcome.isUnderway()) kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
  if (!outcome.isDeleted()) kj::throwFatalException(newerSupervisor());
  co_return true;
}

}  // namespace

kj::Own<Command> removeCommand() {
  return kj::heap<RemoveCommand>();
}

}  // namespace bothy
