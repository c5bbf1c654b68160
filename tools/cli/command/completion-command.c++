#include "command/command.h"
#include "command/completion-scripts.h"
#include "console/failure.h"
#include "usage/completion.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Prints the script by which a shell completes the words of bothy: `source <(bothy completion bash)`, the same
for zsh, and `bothy completion fish | source`.

With `--`: what may stand for the last of these words, which are behind `bothy`.  The scripts ask so; names of
workspaces come from bothyd, if it answers at once.)"_kj;

// A person waits at the prompt.
constexpr auto ASK_LIMIT = 1 * kj::SECONDS;

class CompletionCommand final: public Command {
public:
  CompletionCommand()
      : Command({"completion", "completion for bash, zsh and fish", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("bash | zsh | fish");
    usage.form("-- [WORD]... WORD");
    usage.describe(TEXT);
    usage.optionalOperand({"SHELL", Value::Kind::WORDS, COMPLETION_SHELLS}, shell);
    usage.commandLineAfterDashes(words);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    if (words.size() > 0) {
      co_await offer(context);
      co_return SUCCESS;
    }
    if (shell.size() == 0) usage.fail("SHELL is missing: bash, zsh or fish");
    KJ_IF_MAYBE (script, completionScript(shell)) {
      context.console.print(*script);
    } else {
      usage.fail(kj::str("there is no completion for ", shell, ", only for bash, zsh and fish"));
    }
    co_return SUCCESS;
  }

private:
  kj::StringPtr shell;
  kj::Vector<kj::StringPtr> words;

  kj::Promise<void> offer(Context& context) {
    auto current = words.back();
    auto before = words.slice(0, words.size() - 1);
    for (size_t i = 0; i + 1 < before.size(); ++i) {
      if (before[i] == "--socket") context.connector.useSocket(before[i + 1]);
    }
    auto all = allCommands();
    kj::Vector<kj::StringPtr> rest;
    bool version = false;
    auto usage = usageOfBothy(context, rest, version);
    auto index = commandIndex(usage->declared(), before);
    Value command{"COMMAND", Value::Kind::COMMAND};
    Completion completion;
    if (index == before.size()) {
      completion = complete(usage->declared(), before, current);
      if (completion.candidates.size() == 0 && completion.value == nullptr) {
        completion.value = command;
      }
    } else {
      Command* found = nullptr;
      for (auto& candidate : all) {
        if (candidate->traits.name == before[index]) found = candidate.get();
      }
      if (found == nullptr) co_return;
      usage = usageOf(context, *found);
      completion = complete(usage->declared(), before.slice(index + 1, before.size()), current);
    }
    for (auto& candidate : completion.candidates) {
      print(context, current, candidate.word, candidate.meaning);
    }
    KJ_IF_MAYBE (value, completion.value) {
      co_await offerValue(context, *value, completion.prefix, current, all);
    }
  }

  static void print(Context& context, kj::StringPtr current, kj::StringPtr word,
                    kj::StringPtr meaning) {
    if (word.startsWith(current)) context.console.print(kj::str(word, "\t", meaning, "\n"));
  }

  static kj::Promise<void> offerValue(Context& context, Value value, kj::StringPtr prefix,
                                      kj::StringPtr current,
                                      kj::ArrayPtr<const kj::Own<Command>> commands) {
    auto offer = [&](kj::StringPtr word, kj::StringPtr meaning) {
      print(context, current, kj::str(prefix, word), meaning);
    };
    const auto begun = current.startsWith(prefix) ? current.slice(prefix.size()) : ""_kj;
    switch (value.kind) {
      case Value::Kind::TEXT:
        break;
      case Value::Kind::WORDS:
        for (auto word : value.words) offer(word, "");
        break;
      case Value::Kind::COMMAND:
        for (auto& command : commands) offer(command->traits.name, command->traits.summary);
        break;
      case Value::Kind::WORKSPACE:
        for (auto& name : co_await workspaces(context, begun)) offer(name, "workspace");
        break;
      case Value::Kind::COPY_END:
        // Behind NAME: stands a path of the workspace.
        if (current.findFirst(':') != nullptr) break;
        for (auto& name : co_await workspaces(context, begun))
          offer(kj::str(name, ":"), "workspace");
        context.console.print("\t:files\n");
        break;
      case Value::Kind::FILE:
        context.console.print("\t:files\n");
        break;
    }
  }

  // Those that begin so, or the first of them.  None if bothyd does not answer: nothing but words belongs on this terminal.
  static kj::Promise<kj::Array<kj::String>> workspaces(Context& context, kj::StringPtr begun) {
    kj::Vector<kj::String> names;
    auto asking = kj::evalNow([&]() -> kj::Promise<void> { return ask(context, begun, names); });
    co_await context.timer.timeoutAfter(ASK_LIMIT, kj::mv(asking)).catch_([](kj::Exception&&) {});
    co_return names.releaseAsArray();
  }

  static kj::Promise<void> ask(Context& context, kj::StringPtr begun,
                               kj::Vector<kj::String>& names) {
    auto link = context.connector.connect();
    auto request = link->supervisor().listRequest();
    request.setPrefix(begun);
    auto response = co_await request.send();
    for (auto info : response.getWorkspaces()) names.add(kj::str(info.getSpec().getName()));
  }
};

}  // namespace

kj::Own<Command> completionCommand() {
  return kj::heap<CompletionCommand>();
}

}  // namespace bothy
