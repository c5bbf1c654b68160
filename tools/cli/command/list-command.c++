#include <time.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "schema/limits.capnp.h"
#include "supervisor/outcome.h"
#include "supervisor/repeated-question.h"
#include "supervisor/workspace-pages.h"

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

// What goes on in it, as far as its agent has told.
kj::String activityOf(rpc::WorkspaceInfo::Reader info) {
  if (info.getPausedNanos() != 0) {
    return kj::str("paused ",
                   formatDuration((unixNanosNow() - info.getPausedNanos()) * kj::NANOSECONDS),
                   " ago");
  }
  if (info.getPausesNanos() != 0) {
    const auto left = kj::max(info.getPausesNanos() - unixNanosNow(), 0) * kj::NANOSECONDS;
    return kj::str("pauses in ", formatDuration(left));
  }
  if (info.getHibernatedNanos() != 0) {
    return kj::str("hibernated ",
                   formatDuration((unixNanosNow() - info.getHibernatedNanos()) * kj::NANOSECONDS),
                   " ago, ", formatBytes(info.getSavedBytes()));
  }
  auto activity = info.getActivity();
  const auto commands = activity.getCommands();
  if (commands > 0) return kj::str(commands, commands == 1 ? " command" : " commands");
  if (!activity.getInput().isSinceMillis()) return kj::str("-");
  const auto since = kj::min(activity.getInput().getSinceMillis(), rpc::MAX_MACHINE_AGE_MILLIS);
  return kj::str("input ", formatDuration(static_cast<int64_t>(since) * kj::MILLISECONDS), " ago");
}

// What it has, and what it will have from its next start on.
kj::String withNext(kj::String now, bool isPending, kj::String next) {
  if (!isPending || now == next) return now;
  return kj::str(now, ", then ", next);
}

kj::String sizeOf(uint32_t mebibytes) {
  return formatBytes(uint64_t{mebibytes} << 20);
}

kj::String labelsOf(rpc::WorkspaceInfo::Reader info) {
  auto labels = info.getSpec().getLabels();
  if (labels.size() == 0) return kj::str("-");
  return kj::strArray(
      KJ_MAP(label, labels) { return kj::str(label.getKey(), "=", label.getValue()); }, ",");
}

// What is wrong with it.
kj::StringPtr troubleOf(rpc::WorkspaceInfo::Reader info) {
  if (info.getSetup().getFailed().size() > 0 && info.getStalled().size() == 0 &&
      info.getUnreachable().size() == 0 && info.getFailure().size() == 0) {
    return info.getSetup().getFailed();
  }
  if (info.getStalled().size() > 0) return info.getStalled();
  return info.getUnreachable().size() > 0 ? info.getUnreachable() : info.getFailure();
}

// All that a user may ask for.
constexpr rpc::WorkspaceState STATES[] = {
    rpc::WorkspaceState::CREATING,   rpc::WorkspaceState::STOPPED,
    rpc::WorkspaceState::STARTING,   rpc::WorkspaceState::RUNNING,
    rpc::WorkspaceState::STOPPING,   rpc::WorkspaceState::DELETING,
    rpc::WorkspaceState::FAILED,     rpc::WorkspaceState::RESIZING,
    rpc::WorkspaceState::PAUSED,     rpc::WorkspaceState::PAUSING,
    rpc::WorkspaceState::RESUMING,   rpc::WorkspaceState::EXPIRED,
    rpc::WorkspaceState::EXPIRING,   rpc::WorkspaceState::HIBERNATED,
    rpc::WorkspaceState::HIBERNATING};

kj::Array<kj::StringPtr> stateNames() {
  return KJ_MAP(state, STATES) {
    return nameOf(state);
  };
}

class ListCommand final: public Command {
public:
  ListCommand() : Command({"ls", "list the workspaces", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[--state STATE]... [--label KEY=TEXT]... [PREFIX]");
    usage.describe("Lists the workspaces, or those whose name begins with PREFIX.",
                   "With --json: Workspaces of cli.capnp.");
    usage.option(0, "state", {"STATE", Value::Kind::WORDS, names},
                 "only those in this state; several may be given",
                 [this, &usage](kj::StringPtr value) { want(usage, value); });
    usage.option('l', "label", {"KEY=TEXT"},
                 "only those that have this label; all of several that are given",
                 [this, &usage](kj::StringPtr value) {
                   wanted.labels.add(requirePair(usage, "--label", value));
                 });
    usage.optionalOperand({"PREFIX", Value::Kind::WORKSPACE}, wanted.prefix);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    co_await askUntilAnswered(context.timer, [this, &context] { return show(context); });
    co_return SUCCESS;
  }

private:
  const kj::Array<kj::StringPtr> names = stateNames();
  WantedWorkspaces wanted;

  void want(Usage& usage, kj::StringPtr value) {
    for (auto state : STATES) {
      if (nameOf(state) == value) {
        wanted.states.add(state);
        return;
      }
    }
    usage.fail(kj::str("--state ", value, ": it must be one of ", kj::strArray(names, ", ")));
  }

  kj::Promise<void> show(Context& context);
  static void print(Context& context, kj::ArrayPtr<const WorkspacePage> pages);
};

kj::Promise<void> ListCommand::show(Context& context) {
  auto link = context.connector.connect();
  auto pages = co_await listWorkspaces(link->supervisor(), wanted);
  size_t count = 0;
  for (auto& page : pages) count += page.getWorkspaces().size();
  if (context.console.wantsJson()) {
    context.console.print(jsonLine<result::Workspaces>([&](auto result) {
      auto list = result.initWorkspaces(count);
      kj::uint i = 0;
      for (auto& page : pages) {
        for (auto info : page.getWorkspaces()) list.setWithCaveats(i++, info);
      }
    }));
    co_return;
  }
  if (count > 0) {
    print(context, pages);
  } else if (wanted.prefix.size() > 0 || wanted.states.size() > 0 || wanted.labels.size() > 0) {
    context.console.note("there are no such workspaces: `bothy ls` lists all");
  } else {
    context.console.note("there are no workspaces: `bothy create NAME` makes one");
  }
}

void ListCommand::print(Context& context, kj::ArrayPtr<const WorkspacePage> pages) {
  const kj::StringPtr headings[] = {"NAME", "STATE", "UP",     "CPUS",     "MEMORY", "DISK",
                                    "TIER", "IMAGE", "LABELS", "ACTIVITY", "TROUBLE"};
  Table table(headings);
  for (auto& page : pages) {
    for (auto info : page.getWorkspaces()) {
      auto spec = info.getSpec();
      const bool isPending = info.hasAtNextStart();
      auto next = info.getAtNextStart();
      const kj::String cells[] = {
          kj::str(spec.getName()),
          kj::str(nameOf(info.getState())),
          uptimeOf(info),
          withNext(kj::str(spec.getCpus()), isPending, kj::str(next.getCpus())),
          withNext(sizeOf(spec.getMemoryMib()), isPending, sizeOf(next.getMemoryMib())),
          withNext(sizeOf(spec.getDiskMib()), isPending, sizeOf(next.getDiskMib())),
          spec.getTier().size() > 0 ? kj::str(spec.getTier()) : kj::str("-"),
          kj::str(spec.getImage()),
          labelsOf(info),
          activityOf(info),
          kj::str(troubleOf(info))};
      table.add(cells);
    }
  }
  context.console.print(table.render());
}

}  // namespace

kj::Own<Command> listCommand() {
  return kj::heap<ListCommand>();
}

}  // namespace bothy
