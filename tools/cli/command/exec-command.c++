#include <kj/debug.h>

#include "command/command.h"
#include "command/terminal-options.h"
#include "console/failure.h"
#include "console/quantity.h"
#include "session/process-session.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy exec [OPTION]... NAME [--] COMMAND [ARGUMENT]...

Runs a command in a workspace, without a shell around it.  Its standard input, output and error are
bothy's; bothy exits with its code (see `bothy help exit-codes`).  Ctrl-C and SIGTERM reach the command; a
second one gives up, which ends it and all it started, as does one that comes before the command was started, and
output that nobody reads any more (code 141) or that finds no room (125).  The command goes on over a restart of bothyd,
and so does bothy; one that bothy left without a word (SIGKILL) is ended after 30 s.

  -u, --user USER      as this user of the workspace (user)
  -w, --workdir DIR    in this directory (the user's home)
  -e, --env NAME=TEXT  with this variable; may be repeated
  -n, --no-input       with an empty standard input
  -t, --tty            on a terminal of its own, as `bothy shell` does
      --timeout TIME   end it after this time with all it started; exits with 124
      --detach-keys K  with -t: what leaves the terminal ("ctrl-],."); "none"

With --json, standard output and error are collected: {"exited":0,"stdout":"...","stderr":"..."}, "stdoutBase64"
where it is no UTF-8, "killed" with the signal's number instead of "exited".  Of each at most 16 MiB: where
there was more, "stdoutTruncated":true and in "stdoutBytes" how many bytes there were.
)"_kj;

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  CommandLine command;
  bool noInput = false;
  bool tty = false;
  auto keys = KJ_ASSERT_NONNULL(DetachKeys::parse(DetachKeys::DEFAULT));
  OptionParser parser(self.name, OptionParser::Command::AFTER_OPERAND);
  addCommonOptions(context, parser);
  command.addOptionsTo(parser);
  addDetachKeys(parser, keys);
  parser.flag('n', "no-input", noInput);
  parser.flag('t', "tty", tty);
  parser.value(0, "timeout", [&](kj::StringPtr text) {
    KJ_IF_MAYBE (duration, parseDuration(text)) {
      command.timeoutMillis = *duration / kj::MILLISECONDS;
      if (command.timeoutMillis > 0) return;
    }
    parser.fail(kj::str("--timeout wants a time like 30s or 5m, not ", text));
  });
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  auto name = oneOperand(self, arguments, "name");
  command.arguments = kj::mv(arguments.command);
  if (command.arguments.size() == 0) parser.fail("the command to run is missing");

  if (tty) {
    if (context.console.wantsJson()) parser.fail("-t and --json exclude each other");
    co_return co_await runInTerminal(context, name, command, kj::mv(keys));
  }
  co_return co_await runProcess(context, name, command,
                                noInput ? ProcessInput::NONE : ProcessInput::FORWARDED);
}

}  // namespace

Command execCommand() {
  return {"exec", "run a command in a workspace", HELP, run, EXEC_FAILED, true};
}

}  // namespace bothy
