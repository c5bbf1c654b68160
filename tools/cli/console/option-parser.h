#pragma once

#include <kj/exception.h>
#include <kj/function.h>
#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// Parses the arguments of one command: options anywhere, `-x`, `-xVALUE`, `-x VALUE`, `--name`,
// `--name=VALUE`, `--name VALUE`, bundled flags (`-it`); `--` ends them.  Fails with WRONG_USAGE and a
// message that names the option.  The strings given must outlive the parser.
class OptionParser final {
public:
  // Where the arguments are not bothy's own any more but a command to run.
  enum class Command {
    NONE,           // `--` is followed by operands
    AFTER_DASHES,   // NAME... [-- COMMAND...]
    AFTER_OPERAND,  // NAME [--] COMMAND...: after the first operand, at the second operand or `--`
  };

  explicit OptionParser(kj::StringPtr program, Command command = Command::NONE);
  KJ_DISALLOW_COPY_AND_MOVE(OptionParser);

  // `shortName` 0: the option has a long name only.
  void flag(char shortName, kj::StringPtr longName, bool& target);
  void action(char shortName, kj::StringPtr longName, kj::Function<void()> act);
  // `set` may fail(); the message should name the value and what it ought to be.
  void value(char shortName, kj::StringPtr longName, kj::Function<void(kj::StringPtr)> set);
  void value(char shortName, kj::StringPtr longName, kj::StringPtr& target);

  struct Result {
    kj::Vector<kj::StringPtr> operands;
    kj::Vector<kj::StringPtr> command;
    bool help = false;  // -h or --help was seen
  };
  Result parse(kj::ArrayPtr<const kj::StringPtr> arguments);

  // Ends the parse with WRONG_USAGE.
  [[noreturn]] void fail(kj::StringPtr message);

private:
  struct Option {
    char shortName;
    kj::StringPtr longName;
    bool takesValue;
    kj::Function<void(kj::StringPtr)> set;
  };

  Option& find(kj::StringPtr longName);
  Option& find(char shortName);
  size_t parseLong(kj::ArrayPtr<const kj::StringPtr> rest);
  size_t parseShort(kj::ArrayPtr<const kj::StringPtr> rest);

  kj::StringPtr program;
  Command command;
  kj::Vector<Option> options;
  bool help = false;
};

// The failure that OptionParser::fail throws, for checks made after parsing.
kj::Exception usageFailure(kj::StringPtr program, kj::StringPtr message);

}  // namespace bothy
