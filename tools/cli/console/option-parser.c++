#include "console/option-parser.h"

#include "console/failure.h"

namespace bothy {

kj::Exception usageFailure(kj::StringPtr program, kj::StringPtr message) {
  return failure(
      kj::str(message, ": see `bothy ", program, program.size() > 0 ? " " : "", "--help`"),
      WRONG_USAGE);
}

OptionParser::OptionParser(kj::StringPtr program, Command command)
    : program(program), command(command) {
  flag('h', "help", help);
}

void OptionParser::flag(char shortName, kj::StringPtr longName, bool& target) {
  options.add(Option{shortName, longName, false, [&target](kj::StringPtr) { target = true; }});
}

void OptionParser::action(char shortName, kj::StringPtr longName, kj::Function<void()> act) {
  options.add(
      Option{shortName, longName, false, [act = kj::mv(act)](kj::StringPtr) mutable { act(); }});
}

void OptionParser::value(char shortName, kj::StringPtr longName,
                         kj::Function<void(kj::StringPtr)> set) {
  options.add(Option{shortName, longName, true, kj::mv(set)});
}

void OptionParser::value(char shortName, kj::StringPtr longName, kj::StringPtr& target) {
  value(shortName, longName, [&target](kj::StringPtr given) { target = given; });
}

OptionParser::Result OptionParser::parse(kj::ArrayPtr<const kj::StringPtr> arguments) {
  Result result;
  size_t i = 0;
  while (i < arguments.size()) {
    auto argument = arguments[i];
    auto rest = arguments.slice(i, arguments.size());
    if (argument == "--") {
      auto& target = command == Command::NONE ||
                             (command == Command::AFTER_OPERAND && result.operands.size() == 0)
                         ? result.operands
                         : result.command;
      target.addAll(rest.slice(1, rest.size()));
      break;
    } else if (argument.startsWith("--")) {
      i += parseLong(rest);
    } else if (argument.size() > 1 && argument[0] == '-') {
      i += parseShort(rest);
    } else if (command == Command::AFTER_OPERAND && result.operands.size() == 1) {
      result.command.addAll(rest);
      break;
    } else {
      result.operands.add(argument);
      ++i;
    }
  }
  result.help = help;
  return result;
}

size_t OptionParser::parseLong(kj::ArrayPtr<const kj::StringPtr> rest) {
  auto text = rest[0].slice(2);
  KJ_IF_MAYBE (equals, text.findFirst('=')) {
    auto name = kj::heapString(text.slice(0, *equals));
    auto& option = find(name);
    if (!option.takesValue) fail(kj::str("--", name, " takes no value"));
    option.set(text.slice(*equals + 1));
    return 1;
  }
  auto& option = find(text);
  if (!option.takesValue) {
    option.set(nullptr);
    return 1;
  }
  if (rest.size() < 2) fail(kj::str("--", text, " needs a value"));
  option.set(rest[1]);
  return 2;
}

size_t OptionParser::parseShort(kj::ArrayPtr<const kj::StringPtr> rest) {
  auto text = rest[0].slice(1);
  while (text.size() > 0) {
    auto& option = find(text[0]);
    text = text.slice(1);
    if (!option.takesValue) {
      option.set(nullptr);
    } else if (text.size() > 0) {
      option.set(text);
      return 1;
    } else if (rest.size() >= 2) {
      option.set(rest[1]);
      return 2;
    } else {
      fail(kj::str("-", option.shortName, " needs a value"));
    }
  }
  return 1;
}

OptionParser::Option& OptionParser::find(kj::StringPtr longName) {
  for (auto& option : options) {
    if (option.longName == longName) return option;
  }
  fail(kj::str("there is no option --", longName));
}

OptionParser::Option& OptionParser::find(char shortName) {
  for (auto& option : options) {
    if (option.shortName != 0 && option.shortName == shortName) return option;
  }
  fail(kj::str("there is no option -", shortName));
}

void OptionParser::fail(kj::StringPtr message) {
  kj::throwFatalException(usageFailure(program, message));
}

}  // namespace bothy
