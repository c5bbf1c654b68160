#pragma once

#include "console/option-parser.h"
#include "session/context.h"

namespace bothy {

using Arguments = kj::ArrayPtr<const kj::StringPtr>;

// One word after `bothy`.
struct Command {
  kj::StringPtr name;
  kj::StringPtr summary;  // one line for the list of commands
  kj::StringPtr help;     // the whole --help text, ended by a line feed
  // Gives the exit code, or throws a failure().
  kj::Promise<int> (*run)(Context& context, const Command& self, Arguments arguments);
  int failureCode;      // what FAILURE becomes: EXEC_FAILED where the code is a program's
  bool handlesSignals;  // if not, a signal ends it, with clean-up
};

Command createCommand();
Command listCommand();
Command shellCommand();
Command execCommand();
Command copyCommand();
Command startCommand();
Command stopCommand();
Command removeCommand();
Command resizeCommand();
Command eventsCommand();
Command doctorCommand();
Command versionCommand();
Command upCommand();

// All of them, in the order of the help text.
kj::ArrayPtr<const Command> commands();

// Runs what the arguments after the program's name say and tells failures: the exit code.
kj::Promise<int> runCommand(Context& context, Arguments arguments);

// The options of every command: --json, --socket.
void addCommonOptions(Context& context, OptionParser& parser);

// The value of an option that is a size, in MiB; fails the parser with `option`'s name if it is none.
uint32_t sizeOption(OptionParser& parser, kj::StringPtr option, kj::StringPtr given);

// The only operand, called `title` in the message if there is not exactly one.
kj::StringPtr oneOperand(const Command& command, OptionParser::Result& arguments,
                         kj::StringPtr title);

}  // namespace bothy
