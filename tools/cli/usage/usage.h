#pragma once

#include <kj/exception.h>
#include <kj/function.h>
#include <kj/memory.h>
#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// What the value of an option or operand is: what help calls it, and what a shell offers for it.
struct Value {
  enum class Kind {
    TEXT,       // nothing is offered
    WORDS,      // one of `words`, or another like them
    COMMAND,    // one of bothy's commands
    WORKSPACE,  // the name of a workspace
    COPY_END,   // NAME:PATH or a local path
    FILE,
  };

  kj::StringPtr title;  // in capitals: "SIZE"
  Kind kind = Kind::TEXT;
  kj::ArrayPtr<const kj::StringPtr> words = nullptr;
};

// How one command is called: the single source of its parser, its help, its man page and what shells complete.
//
// Its arguments are options anywhere, in the forms `-x`, `-xVALUE`, `-x VALUE`, `--name`, `--name=VALUE`,
// `--name VALUE` and bundled flags (`-it`), and operands; `--` ends the options.  Texts and targets must outlive it.
class Usage final {
public:
  // `name` empty: of `bothy` itself.
  Usage(kj::StringPtr name, kj::StringPtr summary);
  ~Usage() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Usage);

  // A line of the synopsis, without the command's name in front: "[OPTION]... NAME".
  void form(kj::StringPtr line);
  // Paragraphs, with an empty line between them: `text` stands before the options and `after` below them.  What is
  // in backquotes is to be typed.
  void describe(kj::StringPtr text, kj::StringPtr after = nullptr);

  // `shortName` 0: the option has a long name only.  `text` says what it does, with the default in parentheses.
  void flag(char shortName, kj::StringPtr longName, kj::StringPtr text, bool& target);
  void flag(char shortName, kj::StringPtr longName, kj::StringPtr text, kj::Function<void()> act);
  void option(char shortName, kj::StringPtr longName, Value value, kj::StringPtr text,
              kj::StringPtr& target);
  // `set` is called for each value given, in order; it may fail(), with the value and what it ought to be.
  void option(char shortName, kj::StringPtr longName, Value value, kj::StringPtr text,
              kj::Function<void(kj::StringPtr)> set);
  // From here on, options are those that every command has.
  void commonOptionsFollow();

  // In the order in which they stand.  Only the last ones may be optional.
  void operand(Value value, kj::StringPtr& target);
  void optionalOperand(Value value, kj::StringPtr& target);
  // One or more; the last.
  void operands(Value value, kj::Vector<kj::StringPtr>& target);

  // A command line of its own, which is passed on as it is (P40): it begins at the first argument that is neither an
  // option nor one of the operands, or after `--`.
  void commandLine(kj::Vector<kj::StringPtr>& target);
  // The same, after `--` only.
  void commandLineAfterDashes(kj::Vector<kj::StringPtr>& target);

  // Fills the targets; what they hold lives as long as this object and `arguments`.  Fails with WRONG_USAGE and
  // a message that names what is wrong.  False if help is wanted: then nothing is required, and nothing else done.
  bool parse(kj::ArrayPtr<const kj::StringPtr> arguments);

  // Ends with WRONG_USAGE, for checks after parsing too.
  [[noreturn]] void fail(kj::StringPtr message) const;

  // What was declared.
  struct Option {
    char shortName;
    kj::StringPtr longName;
    Value value;  // without a title: a flag
    kj::StringPtr text;
    bool isCommon;
    bool isFlag() const { return value.title.size() == 0; }
  };
  struct Operand {
    Value value;
    enum class Count { ONE, OPTIONAL, MANY } count;
  };
  struct Declared {
    kj::StringPtr name;
    kj::StringPtr summary;
    kj::Vector<kj::StringPtr> forms;
    kj::StringPtr text;
    kj::StringPtr after;
    kj::Vector<Option> options;
    kj::Vector<Operand> operands;
    bool hasCommandLine = false;
  };
  const Declared& declared() const;

private:
  struct Impl;
  kj::Own<Impl> impl;
};

// The failure of Usage::fail(), for the command `name`.
kj::Exception usageFailure(kj::StringPtr name, kj::StringPtr message);

}  // namespace bothy
