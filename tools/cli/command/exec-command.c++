#include <kj/debug.h>

#include "command/command.h"
#include "command/terminal-options.h"
#include "console/failure.h"
#include "console/quantity.h"
#include "session/process-session.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Runs a command in a workspace, without a shell around it.  Its standard input, output and error are
bothy's; bothy exits with its code (see `bothy help exit-codes`).  Ctrl-C, SIGTERM and
SIGHUP reach the command; a second one gives up, which ends it and all it started, as does one that comes before the
command was started, and output that nobody reads any more (code 141) or that finds no room (125).  Ctrl-\ (SIGQUIT)
reaches it however often it comes.  The command goes on over a restart of bothyd, and so does bothy; one that bothy left
without a word (SIGKILL) is ended after 30 s.

With -t it is as in `bothy shell`: keys reach the command as they are typed, and a signal to bothy leaves the terminal.
Also where bothy ends without a word, the command goes on until it ends by itself or somebody ends it in the workspace
(`bothy exec NAME -- pkill ...`); `bothy shell --list` and --attach come back to it.)"_kj;

constexpr kj::StringPtr AFTER =
    R"(With --json, standard output and error are collected and printed as Executed of cli.capnp:
{"usage":{...},"exited":0,"stdout":"...","stderr":"..."}, "stdoutBase64" where it is no UTF-8, "killed" with the signal's number
instead of "exited", and "timedOut":true where --timeout ended it.  Of each at most 16 MiB: where there was more,
"stdoutTruncated":true and in "stdoutBytes" how many bytes there were.  "usage" has what the command took with all that
it started: "cpuMicros", "memoryPeakBytes" and, if the kernel ended processes of it for want of memory, how many in "outOfMemory".)"_kj;

constexpr kj::StringPtr TIMES[] = {"30s"_kj, "5m"_kj, "1h"_kj};

class ExecCommand final: public Command {
public:
  ExecCommand() : Command({"exec", "run a command in a workspace", EXEC_FAILED, true, true}) {}

  void declare(Usage& usage) override {
    usage.form("[OPTION]... NAME [--] COMMAND [ARGUMENT]...");
    usage.describe(TEXT, AFTER);
    command.declareOptions(usage);
    usage.flag('n', "no-input", "with an empty standard input", noInput);
    usage.flag('t', "tty", "on a terminal of its own, as `bothy shell` does", tty);
    usage.option(0, "timeout", {"TIME", Value::Kind::WORDS, TIMES},
                 "end it after this time (30s, 5m, 1h; a number alone is seconds) with all it "
                 "started; exits with 124",
                 [this, &usage](kj::StringPtr text) {
                   KJ_IF_MAYBE (duration, parseDuration(text)) {
                     command.timeoutMillis = *duration / kj::MILLISECONDS;
                     if (command.timeoutMillis > 0) return;
                   }
                   usage.fail(kj::str("--timeout wants a time like 30s or 5m, not ", text));
                 });
    declareDetachKeys(usage, keys);
    usage.operand(WORKSPACE, name);
    usage.commandLine(command.arguments);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
  CommandLine command;
  bool noInput = false;
  bool tty = false;
  DetachKeys keys = defaultDetachKeys();
};

kj::Promise<int> ExecCommand::run(Context& context, Usage& usage) {
  if (command.arguments.size() == 0) usage.fail("COMMAND is missing");

  if (tty) {
    if (context.console.wantsJson()) usage.fail("-t and --json exclude each other");
    co_return co_await runInTerminal(context, name, command, kj::mv(keys));
  }
  co_return co_await runProcess(context, name, command,
                                noInput ? ProcessInput::NONE : ProcessInput::FORWARDED);
}

}  // namespace

kj::Own<Command> execCommand() {
  return kj::heap<ExecCommand>();
}

}  // namespace bothy
