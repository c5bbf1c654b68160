#pragma once

#include <kj/function.h>

#include <deque>

#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"

namespace bothy {

// One of bothyd's threads for files, in virtual time: jobs are done one after the other, most of them before the call returns, some late.
// One whose promise was dropped is done all the same if it has begun, and never if it has not.
class SimulatedDisk final: private kj::TaskSet::ErrorHandler {
public:
  // What befalls its jobs.
  struct Faults {
    Fault refused;  // EIO
    Fault full;     // ENOSPC
    Fault slow;
  };
  // `actor`: for the trace.
  SimulatedDisk(SimulatedHost& host, Lifetime& lifetime, kj::StringPtr actor, Faults faults);
  // The process ends: what was under way is done, half done or not, as fate has it, and what waits never is.
  ~SimulatedDisk() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedDisk);

  enum class Kind {
    STEP,   // bothyd may be killed before it and after it
    ASIDE,  // a look, or a console's words: there are too many for that
  };
  struct Job {
    kj::String what;
    Kind kind;
    bool needsSpace;
    kj::Function<void()> effect;
    // What there is where it fails, or bothyd is killed, in the middle.
    kj::Function<void()> half = []() {};
  };
  kj::Promise<void> run(Job job);

private:
  struct Pending {
    Job job;
    kj::Own<kj::PromiseFulfiller<void>> done;
  };

  SimulatedHost& host;
  Lifetime& lifetime;
  const kj::StringPtr actor;
  const Faults faults;
  std::deque<kj::Own<Pending>> waiting;
  kj::Maybe<kj::Own<Pending>> underWay;
  kj::TaskSet tasks;

  // How long the next job takes; 0: it is done at once.
  kj::Duration lateness(const Job& job);
  void carryOut(Job& job);
  kj::Promise<void> work(kj::Duration takes);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
