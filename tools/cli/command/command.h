#pragma once

#include "session/context.h"
#include "usage/usage.h"

namespace bothy {

using Arguments = kj::ArrayPtr<const kj::StringPtr>;

// One word after `bothy`.  An object is one call: declare(), then run().
class Command {
public:
  struct Traits {
    kj::StringPtr name;
    kj::StringPtr summary;      // one line for the list of commands
    int failureCode;            // what FAILURE becomes: EXEC_FAILED where the code is a program's
    bool handlesSignals;        // if not, a signal ends it, with clean-up
    bool takesSession = false;  // it can be done with a session's token
  };

  explicit Command(Traits traits) : traits(traits) {}
  virtual ~Command() noexcept(false) {}
  KJ_DISALLOW_COPY_AND_MOVE(Command);

  // All but the options of every command; what the arguments give goes into this object.
  virtual void declare(Usage& usage) = 0;
  // Gives the exit code, or throws a failure().  `usage` has parsed the arguments.
  virtual kj::Promise<int> run(Context& context, Usage& usage) = 0;

  const Traits traits;
};

kj::Own<Command> createCommand();
kj::Own<Command> listCommand();
kj::Own<Command> shellCommand();
kj::Own<Command> execCommand();
kj::Own<Command> copyCommand();
kj::Own<Command> startCommand();
kj::Own<Command> stopCommand();
kj::Own<Command> removeCommand();
kj::Own<Command> expireCommand();
kj::Own<Command> resizeCommand();
kj::Own<Command> pauseCommand();
kj::Own<Command> hibernateCommand();
kj::Own<Command> resumeCommand();
kj::Own<Command> setupCommand();
kj::Own<Command> sessionCommand();
kj::Own<Command> tierCommand();
kj::Own<Command> whyCommand();
kj::Own<Command> wakeCommand();
kj::Own<Command> idleCommand();
kj::Own<Command> capacityCommand();
kj::Own<Command> usageCommand();
kj::Own<Command> eventsCommand();
kj::Own<Command> doctorCommand();
kj::Own<Command> versionCommand();
kj::Own<Command> userCommand();
kj::Own<Command> upCommand();
kj::Own<Command> helpCommand();
kj::Own<Command> completionCommand();

// One of each, in the order of the help text.
kj::Array<kj::Own<Command>> allCommands();

// Runs what the arguments after the program's name say and tells failures: the exit code.
kj::Promise<int> runCommand(Context& context, Arguments arguments);

// The one called `name`; fails with WRONG_USAGE and the name that was probably meant.
Command& requireCommand(kj::ArrayPtr<const kj::Own<Command>> all, kj::StringPtr name);

// All that a command takes, the options of every command among it.
kj::Own<Usage> usageOf(Context& context, Command& command);
// The same of bothy itself: a command with its arguments, which go to `words`.
kj::Own<Usage> usageOfBothy(Context& context, kj::Vector<kj::StringPtr>& words, bool& version);

// Values that several commands take.
constexpr Value WORKSPACE{"NAME"_kj, Value::Kind::WORKSPACE};
Value sizeValue();

// The value of an option, if it has a name and "=".
kj::StringPtr requirePair(const Usage& usage, kj::StringPtr option, kj::StringPtr given);

// The value of an option that is a size, in MiB; fails with `option`'s name if it is none.
uint32_t parseSize(const Usage& usage, kj::StringPtr option, kj::StringPtr given);

}  // namespace bothy
