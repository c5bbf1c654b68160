#include <time.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "supervisor/outcome.h"
#include "supervisor/repeated-question.h"

namespace bothy {
namespace {

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

class ListCommand final: public Command {
public:
  ListCommand() : Command({"ls", "list the workspaces", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("");
    usage.describe("Lists the workspaces.", "With --json: Workspaces of cli.capnp.");
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    co_await askUntilAnswered(context.timer, [&context] { return show(context); });
    co_return SUCCESS;
  }

private:
  static kj::Promise<void> show(Context& context);
};

kj::Promise<void> ListCommand::show(Context& context) {
  auto link = context.connector.connect();
  auto response = co_await link->supervisor().listRequest().send();
  auto workspaces = response.getWorkspaces();
  if (context.console.wantsJson()) {
    context.console.print(
        jsonLine<result::Workspaces>([&](auto result) { result.setWorkspaces(workspaces); }));
    co_return;
  }
  if (workspaces.size() == 0) {
    context.console.note("there are no workspaces: `bothy create NAME` makes one");
    co_return;
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
}

}  // namespace

kj::Own<Command> listCommand() {
  return kj::heap<ListCommand>();
}

}  // namespace bothy
