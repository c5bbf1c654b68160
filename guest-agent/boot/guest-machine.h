#pragma once

#include <kj/function.h>

#include "boot/power.h"

namespace bothy {

// The machine whose PID 1 this process is.
class GuestMachine final: public Machine {
public:
  // `onChildless` resolves when PID 1 has no child left, which means: there is no other process, because
  // it adopts every orphan.  `dataMount` is what switchRoot() returned, borrowed.
  GuestMachine(kj::Function<kj::Promise<void>()> onChildless, kj::Maybe<int> dataMount)
      : onChildless(kj::mv(onChildless)), dataMount(dataMount) {}

  void terminateAll() override;
  void killAll() override;
  kj::Promise<void> whenAlone() override { return onChildless(); }
  [[noreturn]] void halt(Ending ending) override;

private:
  kj::Function<kj::Promise<void>()> onChildless;
  kj::Maybe<int> dataMount;
};

// Whether a line of /proc/PID/stat (proc(5)) describes the leader of a session with a terminal.
bool leadsTerminal(kj::StringPtr stat);

}  // namespace bothy
