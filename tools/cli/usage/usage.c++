#include "usage/usage.h"

#include <kj/debug.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "console/failure.h"
#include "usage/nearest.h"

namespace bothy {
namespace {

constexpr kj::StringPtr DASHES = "--"_kj;

kj::StringPtr viewOf(const std::string& text) {
  return kj::StringPtr(text.c_str(), text.size());
}

// Neither "-", which is an operand, nor an operand after `--`.
bool isLikeOption(kj::StringPtr argument) {
  return argument.size() > 1 && argument[0] == '-';
}

enum class Tail { NONE, COMMAND_LINE, COMMAND_LINE_AFTER_DASHES };

}  // namespace

struct Usage::Impl {
  // CLI11's part is to take apart the arguments.  Each command is an App of its own, not a subcommand: those look
  // for the names of commands among the operands, and end at `--`.
  CLI::App app;
  Declared declared;
  bool areCommon = false;
  bool help = false;

  struct Target {
    CLI::Option* option;
    kj::Function<void(kj::StringPtr)> set;  // of a flag: once, without a value
  };
  kj::Vector<Target> options;
  kj::Vector<Target> operands;
  Tail tail = Tail::NONE;
  kj::Vector<kj::StringPtr>* commandLine = nullptr;
  std::vector<std::string> leftovers;

  // The arguments as CLI11 gets them, and where each came from.
  struct Prepared {
    std::vector<std::string> arguments;
    kj::Vector<size_t> origins;
  };

  CLI::Option* add(Option option);
  void addOperand(Operand operand, kj::Function<void(kj::StringPtr)> set);
  Prepared prepare(kj::ArrayPtr<const kj::StringPtr> arguments) const;
  kj::Maybe<kj::String> takeApart(const std::vector<std::string>& arguments);
  kj::Maybe<kj::String> explain(const CLI::ArgumentMismatch& error) const;
  kj::String explainUnknown(kj::StringPtr argument) const;
  void deliverFlags();
  void deliverValues();
  void requireOperands() const;
  // What is neither an option nor the value of one nor a declared operand.
  kj::Array<kj::StringPtr> takeLeftovers(kj::ArrayPtr<const kj::StringPtr> arguments,
                                         const Prepared& prepared);
  [[noreturn]] void fail(kj::StringPtr message) const {
    kj::throwFatalException(usageFailure(declared.name, message));
  }
};

CLI::Option* Usage::Impl::add(Option option) {
  auto names = option.shortName == 0 ? kj::str("--", option.longName)
                                     : kj::str("-", option.shortName, ",--", option.longName);
  option.isCommon = areCommon;
  auto& added = declared.options.add(option);
  if (added.isFlag()) {
    return app.add_flag(names.cStr())
        ->disable_flag_override()
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  return app.add_option(names.cStr())
      ->expected(1)
      ->allow_extra_args(false)  // also keeps CLI11 from taking "[a,b]" for two values
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Usage::Impl::addOperand(Operand operand, kj::Function<void(kj::StringPtr)> set) {
  declared.operands.add(operand);
  auto added = app.add_option(operand.value.title.cStr())->expected(1)->allow_extra_args(false);
  operands.add(Target{added, kj::mv(set)});
}

// CLI11 takes the argument after `--name=` for its value; the two forms `--name=` and `--name ""` are to be the same.
Usage::Impl::Prepared Usage::Impl::prepare(kj::ArrayPtr<const kj::StringPtr> arguments) const {
  Prepared prepared;
  auto add = [&prepared](kj::StringPtr argument, size_t origin) {
    prepared.arguments.emplace_back(argument.begin(), argument.size());
    prepared.origins.add(origin);
  };
  bool optionsEnded = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    auto argument = arguments[i];
    if (argument == DASHES) optionsEnded = true;
    if (!optionsEnded && argument.startsWith(DASHES) && argument.endsWith("=")) {
      auto name = kj::heapString(argument.slice(2, argument.size() - 1));
      auto option = app.get_option_no_throw(kj::str(DASHES, name).cStr());
      if (option != nullptr && option->get_expected_min() > 0) {
        add(kj::str(DASHES, name), i);
        add(""_kj, i);
        continue;
      }
    }
    add(argument, i);
  }
  return prepared;
}

// What is wrong.
kj::Maybe<kj::String> Usage::Impl::takeApart(const std::vector<std::string>& arguments) {
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(kj::mv(reversed));
  } catch (const CLI::ArgumentMismatch& error) {
    return explain(error);
  } catch (const CLI::Error& error) {
    return kj::str(error.what());
  }
  return nullptr;
}

kj::Maybe<kj::String> Usage::Impl::explain(const CLI::ArgumentMismatch& error) const {
  // CLI11 begins with the option's name: "--user: 1 required TEXT missing", "tty was given ...".
  auto message = kj::StringPtr(error.what());
  if (message.startsWith(DASHES)) message = message.slice(DASHES.size());
  for (auto& option : declared.options) {
    auto name = kj::str(DASHES, option.longName);
    auto rest = message.startsWith(option.longName) ? message.slice(option.longName.size()) : ""_kj;
    if (!rest.startsWith(":") && !rest.startsWith(" ")) continue;
    return option.isFlag() ? kj::str(name, " takes no value")
                           : kj::str(name, " needs a value: ", name, " ", option.value.title);
  }
  return kj::str(message);
}

kj::String Usage::Impl::explainUnknown(kj::StringPtr argument) const {
  auto name = kj::heapString(argument.slice(0, argument.findFirst('=').orDefault(argument.size())));
  auto names = KJ_MAP(option, declared.options) {
    return kj::str(DASHES, option.longName);
  };
  kj::Vector<kj::StringPtr> known;
  for (auto& option : names) known.add(option);
  if (!name.startsWith(DASHES)) {
    // `-json`, or one letter of several.
    auto asLong = kj::str("-", name);
    for (auto& candidate : known) {
      if (candidate == asLong) return kj::str("there is no option ", name, ", is it ", asLong, "?");
    }
    return kj::str("there is no option ", name);
  }
  KJ_IF_MAYBE (close, nearest(name, known)) {
    return kj::str("there is no option ", name, ", is it ", *close, "?");
  }
  return kj::str("there is no option ", name);
}

void Usage::Impl::deliverFlags() {
  for (size_t i = 0; i < options.size(); ++i) {
    if (declared.options[i].isFlag() && options[i].option->count() > 0) options[i].set(nullptr);
  }
}

void Usage::Impl::deliverValues() {
  for (size_t i = 0; i < options.size(); ++i) {
    if (declared.options[i].isFlag()) continue;
    for (auto& value : options[i].option->results()) options[i].set(viewOf(value));
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    auto& results = operands[i].option->results();
    if (results.size() > 0) {
      operands[i].set(viewOf(results[0]));
    }
  }
}

void Usage::Impl::requireOperands() const {
  for (size_t i = 0; i < operands.size(); ++i) {
    auto& operand = declared.operands[i];
    if (operand.count == Operand::Count::OPTIONAL || operands[i].option->count() > 0) continue;
    fail(kj::str(operand.value.title, " is missing"));
  }
}

kj::Array<kj::StringPtr> Usage::Impl::takeLeftovers(kj::ArrayPtr<const kj::StringPtr> arguments,
                                                    const Prepared& prepared) {
  leftovers = app.remaining();
  bool optionsEnded = false;
  kj::Vector<kj::StringPtr> result;
  for (size_t i = 0; i < leftovers.size(); ++i) {
    auto argument = viewOf(leftovers[i]);
    if (!optionsEnded && argument == DASHES) {
      optionsEnded = true;
    } else if (!optionsEnded && isLikeOption(argument)) {
      fail(explainUnknown(argument));
    } else if (tail == Tail::COMMAND_LINE) {
      // The command line is all that is left, to the last argument.
      size_t left = leftovers.size() - i;
      size_t begin = prepared.origins[prepared.origins.size() - left];
      return kj::heapArray(arguments.slice(begin, arguments.size()));
    } else {
      result.add(argument);
    }
  }
  return result.releaseAsArray();
}

Usage::Usage(kj::StringPtr name, kj::StringPtr summary) : impl(kj::heap<Impl>()) {
  impl->declared.name = name;
  impl->declared.summary = summary;
  impl->app.set_help_flag();
  // What is no option and no operand is looked at here.
  impl->app.allow_extras();
}

Usage::~Usage() noexcept(false) {}

const Usage::Declared& Usage::declared() const {
  return impl->declared;
}

void Usage::form(kj::StringPtr line) {
  impl->declared.forms.add(line);
}

void Usage::describe(kj::StringPtr text, kj::StringPtr after) {
  impl->declared.text = text;
  impl->declared.after = after;
}

void Usage::flag(char shortName, kj::StringPtr longName, kj::StringPtr text, bool& target) {
  flag(shortName, longName, text, [&target] { target = true; });
}

void Usage::flag(char shortName, kj::StringPtr longName, kj::StringPtr text,
                 kj::Function<void()> act) {
  auto option = impl->add({shortName, longName, {}, text, false});
  impl->options.add(Impl::Target{option, [act = kj::mv(act)](kj::StringPtr) mutable { act(); }});
}

void Usage::option(char shortName, kj::StringPtr longName, Value value, kj::StringPtr text,
                   kj::StringPtr& target) {
  option(shortName, longName, value, text, [&target](kj::StringPtr given) { target = given; });
}

void Usage::option(char shortName, kj::StringPtr longName, Value value, kj::StringPtr text,
                   kj::Function<void(kj::StringPtr)> set) {
  auto option = impl->add({shortName, longName, value, text, false});
  impl->options.add(Impl::Target{option, kj::mv(set)});
}

void Usage::commonOptionsFollow() {
  impl->areCommon = true;
  flag('h', "help", "show this text", impl->help);
}

void Usage::operand(Value value, kj::StringPtr& target) {
  impl->addOperand({value, Operand::Count::ONE},
                   [&target](kj::StringPtr given) { target = given; });
}

void Usage::optionalOperand(Value value, kj::StringPtr& target) {
  impl->addOperand({value, Operand::Count::OPTIONAL},
                   [&target](kj::StringPtr given) { target = given; });
}

void Usage::operands(Value value, kj::Vector<kj::StringPtr>& target) {
  impl->addOperand({value, Operand::Count::MANY},
                   [&target](kj::StringPtr given) { target.add(given); });
}

void Usage::commandLine(kj::Vector<kj::StringPtr>& target) {
  impl->tail = Tail::COMMAND_LINE;
  impl->commandLine = &target;
  impl->declared.hasCommandLine = true;
  impl->app.prefix_command();
}

void Usage::commandLineAfterDashes(kj::Vector<kj::StringPtr>& target) {
  impl->tail = Tail::COMMAND_LINE_AFTER_DASHES;
  impl->commandLine = &target;
  impl->declared.hasCommandLine = true;
}

bool Usage::parse(kj::ArrayPtr<const kj::StringPtr> arguments) {
  if (impl->tail == Tail::COMMAND_LINE_AFTER_DASHES) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i] != DASHES) continue;
      impl->commandLine->addAll(arguments.slice(i + 1, arguments.size()));
      arguments = arguments.slice(0, i);
      break;
    }
  }
  auto prepared = impl->prepare(arguments);
  auto wrong = impl->takeApart(prepared.arguments);
  impl->deliverFlags();  // also before a failure: it may have to be told as JSON
  KJ_IF_MAYBE (message, wrong) fail(*message);

  if (impl->help) {
    impl->takeLeftovers(arguments, prepared);
    return false;
  }
  auto extras = impl->takeLeftovers(arguments, prepared);
  impl->deliverValues();
  impl->requireOperands();
  if (impl->tail == Tail::COMMAND_LINE) {
    impl->commandLine->addAll(extras);
    return true;
  }
  auto& operands = impl->declared.operands;
  for (auto extra : extras) {
    if (operands.size() == 0 || operands.back().count != Operand::Count::MANY) {
      fail(kj::str(extra, " is one argument too many"));
    }
    impl->operands.back().set(extra);
  }
  return true;
}

void Usage::fail(kj::StringPtr message) const {
  impl->fail(message);
}

kj::Exception usageFailure(kj::StringPtr name, kj::StringPtr message) {
  return failure(kj::str(message, ": see `bothy ", name, name.size() > 0 ? " " : "", "--help`"),
                 WRONG_USAGE);
}

}  // namespace bothy
