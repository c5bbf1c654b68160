#pragma once

#include <kj/function.h>

#include "power/power.h"
#include "process/loop-touches.h"

namespace bothy {

// The end of the machine whose PID 1 this process is.
class MachineShutdown final: public ShutdownSteps {
public:
  // `onChildless` resolves when PID 1 has no child left, which means: there is no other process, because
  // it adopts every orphan; `onAnswered` as ShutdownSteps::whenAnswered().  `onEnding` is called when the end was ordered.
  // `everybodysMark`: of those who may list processes and control groups, from then on.
  // `dataMount` is what switchRoot() returned, borrowed; `programs`: the control group that all of them are in.
  MachineShutdown(kj::Function<kj::Promise<void>()> onChildless,
                  kj::Function<kj::Promise<void>()> onAnswered, kj::Function<void()> onEnding,
                  kj::Function<ProgramMark()> everybodysMark, kj::Maybe<int> dataMount,
                  kj::Maybe<kj::String> programs)
      : onChildless(kj::mv(onChildless)),
        onAnswered(kj::mv(onAnswered)),
        onEnding(kj::mv(onEnding)),
        everybodysMark(kj::mv(everybodysMark)),
        dataMount(dataMount),
        programs(kj::mv(programs)) {}

  void refusePrograms() override { onEnding(); }
  void terminateAll() override;
  void killAll() override;
  kj::Promise<void> whenAlone() override { return onChildless(); }
  kj::Promise<void> whenAnswered() override { return onAnswered(); }
  [[noreturn]] void halt(Ending ending) override;

private:
  kj::Function<kj::Promise<void>()> onChildless;
  kj::Function<kj::Promise<void>()> onAnswered;
  kj::Function<void()> onEnding;
  kj::Function<ProgramMark()> everybodysMark;
  kj::Maybe<int> dataMount;
  kj::Maybe<kj::String> programs;
};

// Whether a line of /proc/PID/stat (proc(5)) describes the leader of a session with a terminal.
bool leadsTerminal(kj::StringPtr stat);

}  // namespace bothy
