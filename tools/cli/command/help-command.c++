#include <kj/filesystem.h>

#include "command/command.h"
#include "console/failure.h"
#include "usage/man-page.h"

namespace bothy {
namespace {

constexpr kj::StringPtr EXIT_CODES = "exit-codes"_kj;

struct ExitMeaning {
  kj::StringPtr code;
  kj::StringPtr meaning;
};
constexpr ExitMeaning EXIT_MEANINGS[] = {
    {"0"_kj, "done"_kj},
    {"1"_kj, "not done: the message says why and what to do"_kj},
    {"2"_kj, "wrong usage"_kj},
    {"124"_kj, "exec --timeout: its time was over, and it was ended with all it started"_kj},
    {"125"_kj,
     "exec, shell, up: bothy could not do its part; the command's own code is not known"_kj},
    {"126"_kj, "exec, shell, up: the command was found but cannot be executed"_kj},
    {"127"_kj, "exec, shell, up: there is no such command in the workspace"_kj},
    {"128+n"_kj, "ended by signal n: the command in the workspace, or bothy itself"_kj},
    {"other"_kj, "exec, shell, up: the exit code of the command"_kj}};

constexpr kj::StringPtr TOPICS =
    "`bothy COMMAND --help` tells what a command does and its options, `bothy help exit-codes` "
    "what "
    "bothy exits with."_kj;

kj::Array<Definition> exitCodes() {
  return KJ_MAP(entry, EXIT_MEANINGS) {
    return Definition{kj::str(entry.code), entry.meaning};
  };
}

kj::Array<Definition> summariesOf(kj::ArrayPtr<const kj::Own<Command>> commands) {
  return KJ_MAP(command, commands) {
    return Definition{kj::str(command->traits.name), command->traits.summary};
  };
}

kj::String overview(Context& context) {
  kj::Vector<kj::StringPtr> words;
  bool version = false;
  auto usage = usageOfBothy(context, words, version);
  auto& declared = usage->declared();
  auto all = allCommands();
  return kj::str("bothy: ", declared.summary, "\n\n", synopsisText(declared), "\nCommands:\n",
                 definitionsText(summariesOf(all)), "\n", filledText(TOPICS), "\nOptions:\n",
                 optionsText(declared, Options::ALL));
}

class HelpCommand final: public Command {
public:
  HelpCommand()
      : Command({"help", "what bothy, one of its commands or its exit codes are", FAILURE, false}) {
  }

  void declare(Usage& usage) override {
    usage.form("[--man] [COMMAND]");
    usage.form("exit-codes");
    usage.form("--man --output DIR");
    usage.describe("Tells about bothy, one of its commands, or the codes that it exits with.");
    usage.flag(0, "man", "as a manual page, for `man -l`", man);
    usage.option(0, "output", {"DIR", Value::Kind::FILE},
                 "with --man: every page into this directory, which is made", directory);
    usage.optionalOperand({"COMMAND", Value::Kind::COMMAND}, topic);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    if (directory.size() > 0 && !man) usage.fail("--output goes with --man only");
    if (directory.size() > 0) {
      writePages(context);
    } else {
      context.console.print(man ? page(context, topic).text : tell(context));
    }
    return int{SUCCESS};
  }

private:
  struct Page {
    kj::String name;
    kj::String text;
  };

  kj::StringPtr topic;
  bool man = false;
  kj::StringPtr directory;

  kj::String tell(Context& context) {
    if (topic.size() == 0) return overview(context);
    if (topic == EXIT_CODES) {
      return kj::str("Exit codes of bothy:\n", definitionsText(exitCodes()));
    }
    auto all = allCommands();
    return helpText(usageOf(context, requireCommand(all, topic))->declared());
  }

  // `name` empty: of bothy itself.
  static Page page(Context& context, kj::StringPtr name) {
    auto all = allCommands();
    kj::Vector<kj::StringPtr> words;
    bool version = false;
    auto usage = name.size() > 0 ? usageOf(context, requireCommand(all, name))
                                 : usageOfBothy(context, words, version);
    auto commands = name.size() > 0 ? nullptr : summariesOf(all);
    auto codes = name.size() > 0 ? nullptr : exitCodes();
    ManPage rendered{usage->declared(), commands, codes, BOTHY_VERSION};
    return {rendered.name(), rendered.render()};
  }

  void writePages(Context& context) {
    auto files = kj::newDiskFilesystem();
    auto path = files->getCurrentPath().evalNative(directory);
    auto mode = kj::WriteMode::CREATE | kj::WriteMode::MODIFY | kj::WriteMode::CREATE_PARENT;
    auto target = files->getRoot().openSubdir(path, mode);
    auto write = [&](kj::StringPtr name) {
      auto written = page(context, name);
      target
          ->openFile(kj::Path(kj::str(written.name, ".1")),
                     kj::WriteMode::CREATE | kj::WriteMode::MODIFY)
          ->writeAll(written.text);
    };
    write("");
    for (auto& command : allCommands()) write(command->traits.name);
  }
};

}  // namespace

kj::Own<Command> helpCommand() {
  return kj::heap<HelpCommand>();
}

}  // namespace bothy
