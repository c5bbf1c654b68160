#include <kj/debug.h>

#include "command/command.h"
#include "command/terminal-options.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "supervisor/repeated-question.h"
#include "supervisor/supervisor-lanes.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Opens a terminal in a workspace: a login shell, or the command.  bothy exits with its code.

Ctrl-] then . leaves the terminal: what runs in it goes on, and --attach comes back to it, with what is
on its screen.  Ctrl-] twice sends one.  A lost connection is made again by itself, and
no output is lost or shown twice; a line says so if what was typed last, 4 KiB at most, may be lost.)"_kj;

constexpr kj::StringPtr AFTER =
    R"(Without a terminal on standard input it works as a pipe, 80 columns wide; the end of the input is typed as
Ctrl-D.  --attach reads the output since the start then (the last MiB).

With --list --json: Terminals of cli.capnp.)"_kj;

kj::Promise<void> list(Context& context, kj::StringPtr name) {
  // A session may look where it may not type.  Of operators the agent may be one that knows no onlookers.
  SupervisorLanes lanes(
      context.connector, context.eventPort, name,
      context.connector.usesSession() ? WantedLane::viewing() : WantedLane::interactive());
  auto opened = co_await lanes.open();
  KJ_IF_MAYBE (none, opened.tryGet<NoLane>()) kj::throwFatalException(kj::mv(none->reason));
  auto& lane = *opened.get<kj::Own<WorkspaceLane>>();
  auto listing = lane.agent().terminalsRequest().send().getTerminals().listRequest().send();
  KJ_IF_MAYBE (why, co_await lane.whyRefused()) {
    auto none = lanes.refused(*why);
    kj::throwFatalException(kj::mv(none.reason));
  }
  auto response = co_await listing;
  auto terminals = response.getTerminals();
  if (context.console.wantsJson()) {
    context.console.print(
        jsonLine<result::Terminals>([&](auto result) { result.setTerminals(terminals); }));
    co_return;
  }
  const kj::StringPtr headings[] = {"ID",  "STATE",  "SIZE",    "VIEWERS",
                                    "PID", "OUTPUT", "COMMAND", "TITLE"};
  Table table(headings);
  for (auto info : terminals) {
    auto size = info.getSize();
    const kj::String cells[] = {kj::str(info.getId()),
                                kj::str(info.getRunning() ? "running" : "ended"),
                                kj::str(size.getColumns(), "x", size.getRows()),
                                kj::str(info.getViewers()),
                                kj::str(info.getPid()),
                                formatBytes(info.getProduced()),
                                kj::str(info.getTitle()),
                                kj::str(info.getShownTitle())};
    table.add(cells);
  }
  context.console.print(table.render());
}

class ShellCommand final: public Command {
public:
  ShellCommand() : Command({"shell", "a terminal in a workspace", EXEC_FAILED, true, true}) {}

  void declare(Usage& usage) override {
    usage.form("[OPTION]... NAME [[--] COMMAND [ARGUMENT]...]");
    usage.form("--attach ID [--view] NAME");
    usage.form("--list NAME");
    usage.describe(TEXT, AFTER);
    usage.flag('l', "list", "show the workspace's terminals", listOnly);
    usage.option('a', "attach", {"ID"}, "come back to a terminal",
                 [this, &usage](kj::StringPtr text) {
                   attachTo = parseNumber(text);
                   if (attachTo != nullptr) return;
                   usage.fail(kj::str("--attach wants a terminal's id, not ", text));
                 });
    usage.flag(0, "view", "with --attach: look at the terminal, and send it nothing", viewOnly);
    command.declareOptions(usage);
    declareDetachKeys(usage, keys);
    usage.operand(WORKSPACE, name);
    usage.commandLine(command.arguments);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
  CommandLine command;
  bool listOnly = false;
  bool viewOnly = false;
  kj::Maybe<uint64_t> attachTo;
  DetachKeys keys = defaultDetachKeys();
};

kj::Promise<int> ShellCommand::run(Context& context, Usage& usage) {
  if (listOnly) {
    co_await askUntilAnswered(context.timer, [&] { return list(context, name); });
    co_return SUCCESS;
  }
  if (context.console.wantsJson()) usage.fail("--json goes with --list only");
  if (attachTo != nullptr && command.arguments.size() > 0) {
    usage.fail("--attach takes no command: it comes back to one that runs");
  }
  if (viewOnly && attachTo == nullptr) usage.fail("--view goes with --attach only");
  TerminalSession session(context, {name, command, attachTo, viewOnly}, kj::mv(keys));
  co_return co_await session.run();
}

}  // namespace

kj::Own<Command> shellCommand() {
  return kj::heap<ShellCommand>();
}

}  // namespace bothy
