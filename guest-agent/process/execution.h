#pragma once

#include "process/child-process.h"
#include "process/output-pump.h"
#include "process/program-input.h"

namespace bothy {

// One program run by `Processes.exec`, with the pumps of its output.  Its last owner calls abandon().
class Execution final: public kj::Refcounted {
public:
  struct Result {
    ExitStatus status;
    uint detached;  // members of the tree that lived on
  };

  // None: it is /dev/null.
  Execution(Programs& programs, kj::Own<ChildProcess> child,
            kj::Maybe<kj::Own<ProgramInput>> standardInput,
            kj::Maybe<kj::Own<OutputPump>> standardOutput,
            kj::Maybe<kj::Own<OutputPump>> standardError);
  ~Execution() noexcept(false);

  // Resolves when the program has ended and its output was delivered: when its sinks have answered `end`, or when that was
  // called.
  enum class Sinks { HAVE_ANSWERED, WERE_CALLED };
  kj::Promise<Result> onFinished(Sinks sinks = Sinks::HAVE_ANSWERED);

  ChildProcess& process() { return *child; }
  kj::Maybe<ProgramInput&> input();
  kj::Maybe<OutputPump&> output() { return pumpOf(standardOutput); }
  kj::Maybe<OutputPump&> errors() { return pumpOf(standardError); }

  // Resolves when the program has ended; its output may be on its way.
  kj::Promise<void> onEnded() { return ended.addBranch().ignoreResult(); }

  // Nobody asks any more: ends the tree if the program runs; then, in the background, delivers what
  // is left of the output.
  void abandon();

private:
  Programs& programs;
  kj::Own<ChildProcess> child;
  kj::Maybe<kj::Own<ProgramInput>> standardInput;
  kj::Maybe<kj::Own<OutputPump>> standardOutput;
  kj::Maybe<kj::Own<OutputPump>> standardError;
  kj::ForkedPromise<Result> ended;  // the program; its output may be on its way

  kj::Promise<Result> run();
  static kj::Maybe<OutputPump&> pumpOf(kj::Maybe<kj::Own<OutputPump>>& pump);
};

}  // namespace bothy
