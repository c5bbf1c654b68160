#include "command/command.h"

#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"

namespace bothy {
namespace {

constexpr kj::StringPtr EXIT_CODES =
    R"(Exit codes of bothy

  0        done
  1        not done: the message says why and what to do
  2        wrong usage
  124      exec --timeout: its time was over, and it was ended with all it started
  125      exec, shell, up: bothy could not do its part; the command's own code is not known
  126      exec, shell, up: the command was found but cannot be executed
  127      exec, shell, up: there is no such command in the workspace
  128+n    ended by signal n: the command in the workspace, or bothy itself
  other    exec, shell, up: the exit code of the command
)"_kj;

constexpr kj::StringPtr OVERVIEW_HEAD =
    R"(bothy: computers of their own for users, each a virtual machine

Usage: bothy [--socket PATH] [--json] COMMAND ...

)"_kj;

constexpr kj::StringPtr OVERVIEW_TAIL =
    R"(
  bothy COMMAND --help   what a command does and its options
  bothy help exit-codes  what bothy exits with

Options of every command:
  --socket PATH  bothyd's socket; else BOTHY_SOCKET, else /run/bothy/bothyd.sock
  --json         results as JSON on standard output, one value a line; failures as {"error":...}
  -h, --help     this text
)"_kj;

kj::String overview() {
  kj::Vector<kj::String> lines;
  for (auto& command : commands()) {
    auto blanks = kj::repeat(' ', 10 - command.name.size());
    lines.add(kj::str("  ", command.name, blanks, command.summary, "\n"));
  }
  return kj::str(OVERVIEW_HEAD, kj::strArray(lines, ""), OVERVIEW_TAIL);
}

kj::Maybe<const Command&> find(kj::StringPtr name) {
  for (auto& command : commands()) {
    if (command.name == name) return command;
  }
  return nullptr;
}

const Command& require(kj::StringPtr name) {
  KJ_IF_MAYBE (command, find(name)) return *command;
  kj::throwFatalException(usageFailure("", kj::str("there is no command ", name)));
}

int showHelp(Context& context, Arguments topics) {
  if (topics.size() == 0) {
    context.console.print(overview());
  } else if (topics[0] == "exit-codes") {
    context.console.print(EXIT_CODES);
  } else {
    context.console.print(require(topics[0]).help);
  }
  return SUCCESS;
}

kj::Promise<int> interrupted(Context& context) {
  int number = co_await context.signals.next();
  co_return SIGNAL_BASE + number;
}

kj::Promise<int> dispatch(Context& context, Arguments arguments, const Command*& running) {
  OptionParser parser("", OptionParser::Command::AFTER_OPERAND);
  bool version = false;
  parser.flag('V', "version", version);
  addCommonOptions(context, parser);
  // The first operand is the command; what follows is for its own parser.
  size_t own = 0;
  while (own < arguments.size() && arguments[own].startsWith("-")) {
    own += arguments[own] == "--socket" ? 2 : 1;
  }
  own = kj::min(own, arguments.size());
  auto global = parser.parse(arguments.slice(0, own));
  auto rest = arguments.slice(own, arguments.size());

  if (version) {
    running = &require("version");
    co_return co_await running->run(context, *running, nullptr);
  }
  if (global.help) co_return showHelp(context, nullptr);
  if (rest.size() == 0) {
    kj::throwFatalException(usageFailure("", "no command is given"));
  }
  auto name = rest[0];
  rest = rest.slice(1, rest.size());
  if (name == "help") co_return showHelp(context, rest);
  running = &require(name);
  auto promise = running->run(context, *running, rest);
  if (!running->handlesSignals) promise = promise.exclusiveJoin(interrupted(context));
  co_return co_await promise;
}

int tell(Context& context, const kj::Exception& exception, const Command* running) {
  auto told = describe(exception);
  int code = told.exitCode;
  if (code == FAILURE && running != nullptr) code = running->failureCode;
  if (context.console.wantsJson()) {
    context.console.print(
        kj::str("{\"error\":", jsonString(told.message), ",\"exitCode\":", code, "}\n"));
  } else {
    context.console.error(told.message);
  }
  return code;
}

}  // namespace

kj::ArrayPtr<const Command> commands() {
  static const Command ALL[] = {createCommand(), listCommand(),   shellCommand(),  execCommand(),
                                copyCommand(),   startCommand(),  stopCommand(),   removeCommand(),
                                resizeCommand(), eventsCommand(), doctorCommand(), versionCommand(),
                                upCommand()};
  return ALL;
}

kj::Promise<int> runCommand(Context& context, Arguments arguments) {
  const Command* running = nullptr;
  co_return co_await dispatch(context, arguments, running).catch_([&](kj::Exception&& exception) {
    return tell(context, exception, running);
  });
}

void addCommonOptions(Context& context, OptionParser& parser) {
  parser.action(0, "json", [&context] { context.console.useJson(); });
  parser.value(0, "socket", [&context](kj::StringPtr path) { context.connector.useSocket(path); });
}

uint32_t sizeOption(OptionParser& parser, kj::StringPtr option, kj::StringPtr given) {
  KJ_IF_MAYBE (size, parseMebibytes(given)) return *size;
  parser.fail(kj::str(option, " wants a size like 512M or 4G, not ", given));
}

kj::StringPtr oneOperand(const Command& command, OptionParser::Result& arguments,
                         kj::StringPtr title) {
  if (arguments.operands.size() == 1) return arguments.operands[0];
  kj::throwFatalException(usageFailure(
      command.name, arguments.operands.size() == 0
                        ? kj::str("the ", title, " is missing")
                        : kj::str("one ", title, " only, what is ", arguments.operands[1])));
}

}  // namespace bothy
