#pragma once

#include <kj/function.h>
#include <kj/string.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include "schema/setup.capnp.h"
#include "simulation/fate.h"
#include "simulation/judge.h"
#include "simulation/trace.h"
#include "wire/waiters.h"

namespace bothy {

// What of its set-up is on the disk of a simulated workspace.
struct DiskSetup {
  uint32_t done = 0;
  bool isFailed = false;
};

// What the agent of one boot does of a workspace's set-up.
class SimulatedSetup final {
public:
  // `later`: the guest's time.  All but `label` outlive it.
  SimulatedSetup(Fate& fate, Trace& trace, Judge& judge, DiskSetup& disk, kj::StringPtr label,
                 kj::Function<kj::Promise<void>(kj::Duration)> later);

  // Longest that a step takes, and that it takes to read the journal.
  static constexpr kj::Duration LONGEST_STEP = 20 * kj::SECONDS;
  static constexpr kj::Duration LONGEST_READING = 2 * kj::SECONDS;

  bool isConfigured() const { return configured; }
  void configure(rpc::Configuration::Reader configuration);
  kj::Promise<void> onChange(uint64_t known);
  void tell(rpc::SetupStatus::Builder status) const;
  void retry();
  // The machine ends.
  void stop() { running = nullptr; }

  // What the memory of its agent has of it.
  struct Memory {
    bool configured = false;
    uint32_t steps = 0;
    uint64_t revision = 0;
  };
  Memory memory() const { return {configured, steps, revision}; }
  // The boot goes on with that.
  void goOn(Memory memory);

private:
  Fate& fate;
  Trace& trace;
  Judge& judge;
  DiskSetup& disk;
  const kj::String label;
  kj::Function<kj::Promise<void>(kj::Duration)> later;
  bool configured = false;
  uint32_t steps = 0;
  uint64_t revision = 0;  // 0: the journal is not read yet
  Waiters waiters;
  kj::Promise<void> running = nullptr;

  void change();
  kj::Promise<void> run();
};

}  // namespace bothy
