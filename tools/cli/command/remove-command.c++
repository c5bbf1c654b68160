#include <kj/debug.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy rm [-f] NAME...

Destroys workspaces with all their files.  One that runs is refused without -f.

  -f, --force  also running ones, by force; one that does not exist is no failure

With --json: {"deleted":[NAME...]}.
)"_kj;

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

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  bool force = false;
  OptionParser parser(self.name);
  addCommonOptions(context, parser);
  parser.flag('f', "force", force);
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  if (arguments.operands.size() == 0) {
    kj::throwFatalException(usageFailure(self.name, "a name is missing"));
  }

  auto link = context.connector.connect();
  auto supervisor = link->supervisor();
  kj::Vector<kj::String> deleted;
  for (auto name : arguments.operands) {
    if (!force) co_await requireNotRunning(supervisor, name);
    auto request = supervisor.deleteRequest();
    request.setName(name);
    auto response = co_await request.send();
    if (response.getOutcome().isAbsent()) {
      if (!force) kj::throwFatalException(noSuchWorkspace(name));
      continue;
    }
    context.console.note(kj::str(escapeGuestText(name.asArray()), " is gone, with its disk"));
    deleted.add(jsonString(name));
  }
  if (context.console.wantsJson()) {
    context.console.print(kj::str("{\"deleted\":[", kj::strArray(deleted, ","), "]}\n"));
  }
  co_return SUCCESS;
}

}  // namespace

Command removeCommand() {
  return {"rm", "destroy workspaces with their files", HELP, run, FAILURE, false};
}

}  // namespace bothy
