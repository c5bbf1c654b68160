#include <kj/debug.h>

#include "command/command.h"
#include "command/terminal-options.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy shell [OPTION]... NAME [[--] COMMAND [ARGUMENT]...]
       bothy shell --attach ID NAME
       bothy shell --list NAME

Opens a terminal in a workspace: a login shell, or the command.  bothy exits with its code.

Ctrl-] then . leaves the terminal: what runs in it goes on, and --attach comes back to it, with the
output since the start (the last MiB).  Ctrl-] twice sends one.  A lost connection to bothyd is made again by
itself, and no output is lost or shown twice.

  -l, --list           show the workspace's terminals
  -a, --attach ID      come back to a terminal
  -u, --user USER      as this user of the workspace (user)
  -w, --workdir DIR    in this directory (the user's home)
  -e, --env NAME=TEXT  with this variable; may be repeated
      --detach-keys K  keys between commas, "ctrl-x" or one character ("ctrl-],."); "none"

Without a terminal on standard input it works as a pipe, 80 columns wide; the end of the input is typed as
Ctrl-D.  With --list --json: an array of what terminal.capnp calls TerminalInfo.
)"_kj;

kj::Promise<int> list(Context& context, kj::StringPtr name) {
  auto link = context.connector.connect();
  auto request = link->supervisor().connectRequest();
  request.setName(name);
  auto connecting = request.send();
  auto listing =
      connecting.getWorkspace().terminalsRequest().send().getTerminals().listRequest().send();
  auto connection = co_await connecting;
  requireConnected(name, connection.getOutcome());
  auto response = co_await listing;
  auto terminals = response.getTerminals();
  if (context.console.wantsJson()) {
    auto values = KJ_MAP(info, terminals) {
      return toJson(info);
    };
    context.console.print(kj::str("[", kj::strArray(values, ","), "]\n"));
    co_return SUCCESS;
  }
  const kj::StringPtr headings[] = {"ID", "STATE", "SIZE", "VIEWERS", "PID", "OUTPUT", "COMMAND"};
  Table table(headings);
  for (auto info : terminals) {
    auto size = info.getSize();
    const kj::String cells[] = {kj::str(info.getId()),
                                kj::str(info.getRunning() ? "running" : "ended"),
                                kj::str(size.getColumns(), "x", size.getRows()),
                                kj::str(info.getViewers()),
                                kj::str(info.getPid()),
                                formatBytes(info.getProduced()),
                                kj::str(info.getTitle())};
    table.add(cells);
  }
  context.console.print(table.render());
  co_return SUCCESS;
}

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  CommandLine command;
  bool listOnly = false;
  kj::Maybe<uint64_t> attachTo;
  auto keys = KJ_ASSERT_NONNULL(DetachKeys::parse(DetachKeys::DEFAULT));
  OptionParser parser(self.name, OptionParser::Command::AFTER_OPERAND);
  addCommonOptions(context, parser);
  command.addOptionsTo(parser);
  addDetachKeys(parser, keys);
  parser.flag('l', "list", listOnly);
  parser.value('a', "attach", [&](kj::StringPtr text) {
    attachTo = parseNumber(text);
    if (attachTo == nullptr) parser.fail(kj::str("--attach wants a terminal's id, not ", text));
  });
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  auto name = oneOperand(self, arguments, "name");
  if (listOnly) co_return co_await list(context, name);
  if (context.console.wantsJson()) parser.fail("--json goes with --list only");
  command.arguments = kj::mv(arguments.command);
  if (attachTo != nullptr && command.arguments.size() > 0) {
    parser.fail("--attach takes no command: it comes back to one that runs");
  }
  TerminalSession session(context, {name, command, attachTo}, kj::mv(keys));
  co_return co_await session.run();
}

}  // namespace

Command shellCommand() {
  return {"shell", "a terminal in a workspace", HELP, run, EXEC_FAILED, true};
}

}  // namespace bothy
