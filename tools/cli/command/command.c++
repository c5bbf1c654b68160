#include "command/command.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "result/cli.capnp.h"
#include "supervisor/session-connector.h"
#include "usage/help-text.h"
#include "usage/nearest.h"

namespace bothy {
namespace {

constexpr kj::StringPtr SIZES[] = {"512M"_kj, "1G"_kj,  "2G"_kj,  "4G"_kj,
                                   "8G"_kj,   "20G"_kj, "50G"_kj, "100G"_kj};

// What people type who know other programs.
struct Synonym {
  kj::StringPtr word;
  kj::StringPtr command;
};
constexpr Synonym SYNONYMS[] = {
    {"list"_kj, "ls"_kj},     {"ps"_kj, "ls"_kj},        {"delete"_kj, "rm"_kj},
    {"remove"_kj, "rm"_kj},   {"destroy"_kj, "rm"_kj},   {"copy"_kj, "cp"_kj},
    {"run"_kj, "exec"_kj},    {"attach"_kj, "shell"_kj}, {"enter"_kj, "shell"_kj},
    {"ssh"_kj, "shell"_kj},   {"new"_kj, "create"_kj},   {"boot"_kj, "start"_kj},
    {"kill"_kj, "stop"_kj},   {"halt"_kj, "stop"_kj},    {"log"_kj, "events"_kj},
    {"check"_kj, "doctor"_kj}};

kj::Maybe<kj::StringPtr> commandMeantBy(kj::StringPtr word,
                                        kj::ArrayPtr<const kj::Own<Command>> known) {
  for (auto& synonym : SYNONYMS) {
    if (synonym.word == word) return synonym.command;
  }
  return nearest(word, KJ_MAP(command, known) { return command->traits.name; });
}

kj::Promise<int> interrupted(Context& context) {
  int number = co_await context.signals.next();
  co_return SIGNAL_BASE + number;
}

// `failureCode` becomes that of the command as soon as it is known.
kj::Promise<int> dispatch(Context& context, Arguments arguments, int& failureCode) {
  bool version = false;
  kj::Vector<kj::StringPtr> words;
  auto usage = usageOfBothy(context, words, version);
  bool helpWanted = !usage->parse(arguments);
  if (helpWanted || version) {
    words.clear();
    words.add(helpWanted ? "help"_kj : "version"_kj);
  }
  if (words.size() == 0) usage->fail("no command is given");

  auto all = allCommands();
  auto& command = requireCommand(all, words[0]);
  failureCode = command.traits.failureCode;
  usage = usageOf(context, command);
  if (!usage->parse(words.slice(1, words.size()))) {
    context.console.print(helpText(usage->declared()));
    co_return SUCCESS;
  }
  if (context.connector.usesSession() && !command.traits.takesSession) {
    usage->fail(
        "a session cannot do this: --session and BOTHY_SESSION go with shell, exec, cp, start and "
        "session show");
  }
  auto promise = command.run(context, *usage);
  if (!command.traits.handlesSignals) promise = promise.exclusiveJoin(interrupted(context));
  co_return co_await promise;
}

int tell(Context& context, const kj::Exception& exception, int failureCode) {
  auto told = describe(exception);
  int code = told.exitCode == FAILURE ? failureCode : told.exitCode;
  if (told.message.size() == 0) return code;
  if (context.console.wantsJson()) {
    auto thrown = kj::runCatchingExceptions([&] {
      context.console.print(jsonLine<result::Failure>([&](auto result) {
        result.setError(told.message);
        result.setExitCode(static_cast<uint8_t>(code));
      }));
    });
    if (thrown == nullptr) return code;
  }
  context.console.error(told.message);
  return code;
}

void declareCommonOptions(Context& context, Usage& usage) {
  usage.commonOptionsFollow();
  usage.option(0, "socket", {"PATH", Value::Kind::FILE},
               "bothyd's socket; else BOTHY_SOCKET, else /run/bothy/bothyd.sock",
               [&context](kj::StringPtr path) { context.connector.useSocket(path); });
  usage.option(0, "session", {"FILE", Value::Kind::FILE},
               "with the session whose token this file holds (-: standard input's first line), and "
               "with its rights; else with that of BOTHY_SESSION.  The socket is then "
               "/run/bothy/sessions.sock, or BOTHY_SESSION_SOCKET",
               [&context](kj::StringPtr file) { context.connector.useSession(readToken(file)); });
  usage.flag(0, "json",
             "results as JSON on standard output, one value a line; failures as {\"error\":...}",
             [&context] { context.console.useJson(); });
}

}  // namespace

kj::Array<kj::Own<Command>> allCommands() {
  return kj::arr(createCommand(), listCommand(), shellCommand(), execCommand(), copyCommand(),
                 startCommand(), stopCommand(), pauseCommand(), hibernateCommand(), resumeCommand(),
                 setupCommand(), removeCommand(), expireCommand(), resizeCommand(), whyCommand(),
                 wakeCommand(), idleCommand(), tierCommand(), capacityCommand(), usageCommand(),
                 userCommand(), sessionCommand(), eventsCommand(), doctorCommand(),
                 versionCommand(), upCommand(), helpCommand(), completionCommand());
}

Command& requireCommand(kj::ArrayPtr<const kj::Own<Command>> all, kj::StringPtr name) {
  for (auto& command : all) {
    if (command->traits.name == name) return const_cast<Command&>(*command);
  }
  KJ_IF_MAYBE (meant, commandMeantBy(name, all)) {
    kj::throwFatalException(
        usageFailure("", kj::str("there is no command ", name, ", is it `", *meant, "`?")));
  }
  kj::throwFatalException(usageFailure("", kj::str("there is no command ", name)));
}

kj::Own<Usage> usageOf(Context& context, Command& command) {
  auto usage = kj::heap<Usage>(command.traits.name, command.traits.summary);
  command.declare(*usage);
  declareCommonOptions(context, *usage);
  return usage;
}

kj::Own<Usage> usageOfBothy(Context& context, kj::Vector<kj::StringPtr>& words, bool& version) {
  auto usage =
      kj::heap<Usage>(""_kj, "computers of their own for users, each a virtual machine"_kj);
  usage->form("[OPTION]... COMMAND [ARGUMENT]...");
  usage->flag('V', "version", "as `bothy version`", version);
  usage->commandLine(words);
  declareCommonOptions(context, *usage);
  return usage;
}

kj::Promise<int> runCommand(Context& context, Arguments arguments) {
  int failureCode = FAILURE;
  co_return co_await dispatch(context, arguments, failureCode)
      .catch_([&](kj::Exception&& exception) { return tell(context, exception, failureCode); });
}

Value sizeValue() {
  return {"SIZE", Value::Kind::WORDS, SIZES};
}

uint32_t parseSize(const Usage& usage, kj::StringPtr option, kj::StringPtr given) {
  KJ_IF_MAYBE (size, parseMebibytes(given)) {
    if (*size > 0) return *size;
  }
  usage.fail(kj::str(option, " wants a size like 512M or 4G, not ", given));
}

kj::StringPtr requirePair(const Usage& usage, kj::StringPtr option, kj::StringPtr given) {
  if (given.findFirst('=') == nullptr || given.startsWith("=")) {
    usage.fail(kj::str(option, " wants a name, = and a text, not ", given));
  }
  return given;
}

}  // namespace bothy
