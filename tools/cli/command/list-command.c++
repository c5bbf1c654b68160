#include <time.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy ls

Lists the workspaces.  With --json: an array of what workspace.capnp calls WorkspaceInfo.
)"_kj;

int64_t unixNanosNow() {
  struct timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

kj::String uptimeOf(rpc::WorkspaceInfo::Reader info) {
  if (info.getState() != rpc::WorkspaceState::RUNNING || info.getStartedNanos() == 0) {
    return kj::str("-");
  }
  return formatDuration((unixNanosNow() - info.getStartedNanos()) * kj::NANOSECONDS);
}

// What is wrong with it.
kj::StringPtr troubleOf(rpc::WorkspaceInfo::Reader info) {
  if (info.getStalled().size() > 0) return info.getStalled();
  return info.getUnreachable().size() > 0 ? info.getUnreachable() : info.getFailure();
}

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  OptionParser parser(self.name);
  addCommonOptions(context, parser);
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  if (arguments.operands.size() > 0) parser.fail("ls takes no names");

  auto link = context.connector.connect();
  auto response = co_await link->supervisor().listRequest().send();
  auto workspaces = response.getWorkspaces();
  if (context.console.wantsJson()) {
    auto values = KJ_MAP(info, workspaces) {
      return toJson(info);
    };
    context.console.print(kj::str("[", kj::strArray(values, ","), "]\n"));
    co_return SUCCESS;
  }
  if (workspaces.size() == 0) {
    context.console.note("there are no workspaces: `bothy create NAME` makes one");
    co_return SUCCESS;
  }
  const kj::StringPtr headings[] = {"NAME",   "STATE", "UP",    "CPUS",
                                    "MEMORY", "DISK",  "IMAGE", "TROUBLE"};
  Table table(headings);
  for (auto info : workspaces) {
    auto spec = info.getSpec();
    const kj::String cells[] = {kj::str(spec.getName()),
                                kj::str(nameOf(info.getState())),
                                uptimeOf(info),
                                kj::str(spec.getCpus()),
                                formatBytes(uint64_t{spec.getMemoryMib()} << 20),
                                formatBytes(uint64_t{spec.getDiskMib()} << 20),
                                kj::str(spec.getImage()),
                                kj::str(troubleOf(info))};
    table.add(cells);
  }
  context.console.print(table.render());
  co_return SUCCESS;
}

}  // namespace

Command listCommand() {
  return {"ls", "list the workspaces", HELP, run, FAILURE, false};
}

}  // namespace bothy
