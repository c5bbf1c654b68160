#include <kj/vector.h>

#include "command/activity-text.h"
#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/table.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Shows what becomes of a workspace when nobody uses it, and what counts as use: as its tier says (a setting of
bothyd), or for this workspace alone with --set.  Times are like 90s, 30m, 2h or 7d, what counts is yes or no, and `--set FIGURE=tier`
takes back what was set.  After its last use a workspace is paused, after its pause hibernated, and after its hibernation it
expires, with its disk; `pause-after=never` keeps it from being paused by a rule, `expire-after=never` from losing its disk.

A program that goes on in a terminal at which nobody looks is no use, however much it computes: its workspace is paused after
`pause-after` like any other, and it goes on where it was when somebody comes back.  What is to be finished before is started
with `bothy-wake` within the workspace, or kept awake by `bothy wake`.)"_kj;

class IdleCommand final: public Command {
public:
  IdleCommand()
      : Command({"idle", "what becomes of a workspace that nobody uses", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[--set FIGURE=VALUE]... NAME");
    usage.describe(TEXT, "With --json: a Wakefulness of activity.capnp.");
    usage.option(0, "set", {"FIGURE=VALUE"}, "a figure of this workspace's own",
                 [this, &usage](kj::StringPtr text) { wishes.add(parse(usage, text)); });
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  struct Wish {
    rpc::IdleFigure figure;
    kj::Maybe<uint32_t> value;
  };
  kj::StringPtr name;
  kj::Vector<Wish> wishes;

  static Wish parse(const Usage& usage, kj::StringPtr text) {
    KJ_IF_MAYBE (equals, text.findFirst('=')) {
      auto given = kj::heapString(text.slice(0, *equals));
      auto value = text.slice(*equals + 1);
      KJ_IF_MAYBE (figure, idleFigure(given)) {
        if (value == "tier") return {*figure, nullptr};
        KJ_IF_MAYBE (number, parseFigure(*figure, value)) return {*figure, *number};
        usage.fail(kj::str("--set ", given, " wants ",
                           *figure >= rpc::IdleFigure::COUNT_SESSIONS
                               ? "yes, no or tier"
                               : "a time like 30m or 7d up to 366d, or tier",
                           ", not ", value));
      }
    }
    kj::Vector<kj::StringPtr> names;
    for (size_t i = 0; i < IDLE_FIGURES; i++) names.add(nameOf(static_cast<rpc::IdleFigure>(i)));
    usage.fail(kj::str("--set wants FIGURE=VALUE with one of ", kj::strArray(names, ", "), ", not ",
                       text));
  }
  void show(Context& context, rpc::Wakefulness::Reader told) const;
};

void IdleCommand::show(Context& context, rpc::Wakefulness::Reader told) const {
  if (context.console.wantsJson()) {
    context.console.print(kj::str(toJson(told), "\n"));
    return;
  }
  const kj::StringPtr headings[] = {"FIGURE", "VALUE", "WHOSE"};
  Table table(headings);
  for (size_t i = 0; i < IDLE_FIGURES; i++) {
    const auto figure = static_cast<rpc::IdleFigure>(i);
    bool isOwn = false;
    for (auto own : told.getOwn()) isOwn = isOwn || own == figure;
    const kj::String cells[] = {kj::str(nameOf(figure)),
                                textOf(figure, valueOf(told.getPolicy(), figure)),
                                kj::str(isOwn ? "its own" : "its tier's")};
    table.add(cells);
  }
  context.console.print(table.render());
}

kj::Promise<int> IdleCommand::run(Context& context, Usage& usage) {
  auto link = context.connector.connect();
  auto activity = link->supervisor().activityRequest().send().getActivity();
  if (wishes.empty()) {
    auto request = activity.whyRequest();
    request.setWorkspace(name);
    auto response = co_await request.send();
    auto outcome = response.getOutcome();
    if (outcome.isAbsent()) {
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    }
    if (!outcome.isFound()) kj::throwFatalException(newerSupervisor());
    show(context, outcome.getFound());
    co_return SUCCESS;
  }
  auto request = activity.changePolicyRequest();
  request.setWorkspace(name);
  auto changes = request.initChanges(wishes.size());
  for (auto i : kj::indices(wishes)) {
    changes[i].setFigure(wishes[i].figure);
    KJ_IF_MAYBE (value, wishes[i].value) changes[i].setValue(*value);
  }
  auto response = co_await request.send();
  using Outcome = rpc::WorkspaceActivity::ChangePolicyOutcome;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::CHANGED:
      show(context, outcome.getChanged());
      co_return SUCCESS;
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case Outcome::INVALID:
      kj::throwFatalException(failure(escapeGuestText(outcome.getInvalid().asArray())));
  }
  kj::throwFatalException(newerSupervisor());
}

}  // namespace

kj::Own<Command> idleCommand() {
  return kj::heap<IdleCommand>();
}

}  // namespace bothy
