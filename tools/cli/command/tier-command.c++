#include <kj/vector.h>

#include "command/activity-text.h"
#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "schema/activity.capnp.h"
#include "schema/tier.capnp.h"
#include "supervisor/outcome.h"
#include "supervisor/repeated-question.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(`bothy tier ls` shows the tiers of this host, which are settings of bothyd: what a workspace has that
`bothy create --tier TIER` makes, and what becomes of one that nobody uses (`bothy idle`).

`bothy tier set` gives a workspace another tier, and says what changes and when; with --dry-run it only says so.  A
disk never shrinks: a tier with a smaller one is refused, or with --keep-disk changes the rest.  The tier that a workspace has
brings it up to date where the settings have changed.)"_kj;

constexpr kj::StringPtr AFTER =
    R"(With --json: Tiers of cli.capnp, or a TierPlan of supervisor.capnp.)"_kj;

constexpr kj::StringPtr LIST = "ls"_kj, SET = "set"_kj;
constexpr kj::StringPtr ACTIONS[] = {LIST, SET};

using Plan = rpc::TierPlan;

kj::StringPtr nameOf(Plan::Figure figure) {
  switch (figure) {
    case Plan::Figure::CPUS:
      return "processors";
    case Plan::Figure::MEMORY_MIB:
      return "memory";
    case Plan::Figure::DISK_MIB:
      return "disk";
    case Plan::Figure::SESSIONS:
      return "sessions";
    case Plan::Figure::READ_BYTES:
      return "reads a second";
    case Plan::Figure::WRITE_BYTES:
      return "writes a second";
    case Plan::Figure::READ_OPERATIONS:
      return "read operations a second";
    case Plan::Figure::WRITE_OPERATIONS:
      return "write operations a second";
  }
  return "?";
}

kj::String valueOf(Plan::Figure figure, uint64_t value) {
  switch (figure) {
    case Plan::Figure::MEMORY_MIB:
    case Plan::Figure::DISK_MIB:
      return formatBytes(value << 20);
    case Plan::Figure::READ_BYTES:
    case Plan::Figure::WRITE_BYTES:
      return value == 0 ? kj::str("no limit") : formatBytes(value);
    case Plan::Figure::READ_OPERATIONS:
    case Plan::Figure::WRITE_OPERATIONS:
      return value == 0 ? kj::str("no limit") : kj::str(value);
    case Plan::Figure::SESSIONS:
      return value == 0 ? kj::str("-") : kj::str(value);
    default:
      return kj::str(value);
  }
}

// What its disk does in a second at most.
kj::String rateOf(uint64_t bytes, uint64_t operations) {
  if (bytes == 0 && operations == 0) return kj::str("-");
  if (operations == 0) return kj::str(formatBytes(bytes), "/s");
  if (bytes == 0) return kj::str(operations, "/s");
  return kj::str(formatBytes(bytes), "/s, ", operations, "/s");
}

kj::StringPtr nameOf(Plan::When when) {
  switch (when) {
    case Plan::When::NOW:
      return "at once";
    case Plan::When::NEXT_START:
      return "at the next start";
    case Plan::When::NEVER:
      return "never: a disk does not shrink";
  }
  return "?";
}

// A line of each figure, as `bothy idle` has them.
kj::String idleTable(capnp::List<rpc::Tier>::Reader tiers) {
  kj::Vector<kj::StringPtr> headings(tiers.size() + 1);
  headings.add("WHEN NOBODY USES IT");
  for (auto each : tiers) headings.add(each.getName());
  Table table(headings);
  for (size_t i = 0; i < IDLE_FIGURES; i++) {
    const auto figure = static_cast<rpc::IdleFigure>(i);
    kj::Vector<kj::String> cells(headings.size());
    cells.add(kj::str(bothy::nameOf(figure)));
    for (auto each : tiers) cells.add(textOf(figure, bothy::valueOf(each.getIdle(), figure)));
    table.add(cells);
  }
  return table.render();
}

class TierCommand final: public Command {
public:
  TierCommand()
      : Command({"tier", "show the tiers, or give a workspace another", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("ls");
    usage.form("set [--dry-run] [--keep-disk] NAME TIER");
    usage.describe(TEXT, AFTER);
    usage.flag(0, "dry-run", "say what would change, and change nothing", isOnlyPlanned);
    usage.flag(0, "keep-disk", "change the rest where the tier has a smaller disk", keepsDisk);
    usage.operand({"ACTION", Value::Kind::WORDS, ACTIONS}, action);
    usage.optionalOperand(WORKSPACE, name);
    usage.optionalOperand({"TIER"}, tier);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    if (action == SET) {
      if (tier.size() == 0) usage.fail(name.size() == 0 ? "NAME is missing" : "TIER is missing");
      return set(context);
    }
    if (action != LIST) {
      usage.fail(kj::str("there is no action ", action, ", only ls and set"));
    }
    if (name.size() > 0) usage.fail(kj::str("ls takes no ", name));
    return askUntilAnswered(context.timer, [&context] { return list(context); }).then([]() -> int {
      return SUCCESS;
    });
  }

private:
  kj::StringPtr action;
  kj::StringPtr name;
  kj::StringPtr tier;
  bool isOnlyPlanned = false;
  bool keepsDisk = false;

  static kj::Promise<void> list(Context& context);
  kj::Promise<int> set(Context& context);
  // How it went, beneath the table of what changes.
  kj::String summaryOf(Plan::Reader plan, bool isDone) const;
};

kj::Promise<void> TierCommand::list(Context& context) {
  auto link = context.connector.connect();
  auto response = co_await link->supervisor().tiersRequest().send();
  auto tiers = response.getTiers();
  if (context.console.wantsJson()) {
    context.console.print(jsonLine<result::Tiers>([&](auto result) { result.setTiers(tiers); }));
    co_return;
  }
  const kj::StringPtr headings[] = {"TIER",     "CPUS",  "MEMORY", "DISK",
                                    "SESSIONS", "READS", "WRITES"};
  Table table(headings);
  for (auto each : tiers) {
    const kj::String cells[] = {
        kj::str(each.getName()),
        kj::str(each.getCpus()),
        formatBytes(uint64_t{each.getMemoryMib()} << 20),
        formatBytes(uint64_t{each.getDiskMib()} << 20),
        kj::str(each.getSessions()),
        rateOf(each.getIo().getReadBytes(), each.getIo().getReadOperations()),
        rateOf(each.getIo().getWriteBytes(), each.getIo().getWriteOperations())};
    table.add(cells);
  }
  context.console.print(kj::str(table.render(), "\n", idleTable(tiers)));
}

kj::String TierCommand::summaryOf(Plan::Reader plan, bool isDone) const {
  if (plan.getChanges().size() == 0) {
    return kj::str(name, isDone ? " has" : " has already", " what the tier ", tier, " gives");
  }
  if (isDone) return kj::str("the tier of ", name, " is ", tier);
  return kj::str("nothing was changed: without --dry-run the tier of ", name, " would be ", tier);
}

kj::Promise<int> TierCommand::set(Context& context) {
  auto link = context.connector.connect();
  auto request = link->supervisor().changeTierRequest();
  request.setName(name);
  request.setTier(tier);
  request.setApply(!isOnlyPlanned);
  request.setKeepDisk(keepsDisk);
  auto response = co_await request.send();
  using Outcome = rpc::Supervisor::ChangeTierOutcome;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::PLANNED:
    case Outcome::CHANGED:
      break;
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case Outcome::BUSY:
      kj::throwFatalException(workspaceBusy(name, outcome.getBusy()));
    case Outcome::INVALID:
      kj::throwFatalException(failure(escapeGuestText(outcome.getInvalid().asArray())));
    case Outcome::NO_CAPACITY:
      kj::throwFatalException(noCapacity(name, outcome.getNoCapacity()));
    default:
      kj::throwFatalException(newerSupervisor());
  }
  const bool isDone = outcome.isChanged();
  auto plan = isDone ? outcome.getChanged() : outcome.getPlanned();
  const bool isRefused = plan.getRefusal().size() > 0;
  if (context.console.wantsJson() && (isOnlyPlanned || !isRefused)) {
    context.console.print(kj::str(toJson(plan), "\n"));
    co_return SUCCESS;
  }
  if (!context.console.wantsJson() && plan.getChanges().size() > 0) {
    const kj::StringPtr headings[] = {"WHAT", "NOW", "THEN", "WHEN"};
    Table table(headings);
    for (auto change : plan.getChanges()) {
      const kj::String cells[] = {
          kj::str(nameOf(change.getFigure())), valueOf(change.getFigure(), change.getBefore()),
          valueOf(change.getFigure(), change.getAfter()), kj::str(nameOf(change.getWhen()))};
      table.add(cells);
    }
    context.console.print(table.render());
  }
  if (isRefused) {
    kj::throwFatalException(failure(
        kj::str(name, ": ", escapeGuestText(plan.getRefusal().asArray()), " (--keep-disk)")));
  }
  context.console.note(summaryOf(plan, isDone));
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> tierCommand() {
  return kj::heap<TierCommand>();
}

}  // namespace bothy
