#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "schema/limits.capnp.h"
#include "wire/waiters.h"

namespace bothy {

enum class Ending { POWER_OFF, REBOOT };

// What the end of a machine consists of, for Power, which knows when.  The machine's are those of MachineShutdown; tests have a fake.
class ShutdownSteps {
public:
  // From here on no program is started.
  virtual void refusePrograms() = 0;
  // Asks every process but the agent to end: SIGTERM, and to leaders of terminals a hang-up, because
  // interactive shells ignore SIGTERM.
  virtual void terminateAll() = 0;
  // SIGKILL to every process but the agent.
  virtual void killAll() = 0;
  // Resolves when no process but the agent is left.  Dropping it stops the watch.
  virtual kj::Promise<void> whenAlone() = 0;
  // Resolves when nobody holds a program any more that the agent started: whoever waited for one has been
  // told how it ended.
  virtual kj::Promise<void> whenAnswered() = 0;
  // Makes the disks consistent and stops the machine.  Does not return on a real machine.
  virtual void halt(Ending ending) = 0;
};

// After SIGKILL a process can linger only in the kernel, waiting for a device.
constexpr kj::Duration KILL_LIMIT = 2 * kj::SECONDS;

// Who keeps a program that has ended keeps the machine no longer.
constexpr kj::Duration ANSWER_LIMIT = 500 * kj::MILLISECONDS;

// No grace is longer.
constexpr kj::Duration MAX_GRACE = rpc::MAX_GRACE_MILLIS * kj::MILLISECONDS;

// Ends the machine in order, and alone decides when: orders come from the host, by signal and by a schedule.
class Power {
public:
  Power(kj::Timer& timer, ShutdownSteps& steps);
  ~Power() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Power);

  // Takes the order; all that follows happens in the background.  A later call may shorten the grace,
  // never lengthen it, and does not change the ending.
  void end(Ending ending, kj::Duration grace);

private:
  kj::Promise<void> run(Ending ending);
  kj::Promise<void> graceOver();

  kj::Timer& timer;
  ShutdownSteps& steps;
  // While an ending is under way.
  kj::Maybe<kj::TimePoint> deadline;
  // While graceOver() waits.
  Waiters shortened;
  kj::Maybe<kj::Promise<void>> ending;
};

}  // namespace bothy
