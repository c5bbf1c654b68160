#pragma once

#include <kj/debug.h>
#include <kj/function.h>
#include <kj/map.h>
#include <kj/refcount.h>

#include "schema/lane.capnp.h"
#include "simulation/guest.h"
#include "simulation/simulated-setup.h"
#include "simulation/trace.h"
#include "vm/vm-driver.h"

namespace bothy {

// Of a kernel on its console, once a boot.
constexpr kj::StringPtr FIRST_WORDS = "Linux boots"_kj;

// A machine in memory, with its guest and an agent that answers over real RPC.  It is the host's: it does not
// end with the bothyd that started it.
class SimulatedMachine final: public kj::Refcounted, private kj::TaskSet::ErrorHandler {
public:
  SimulatedMachine(kj::Timer& timer, Fate& fate, Trace& trace, Judge& judge, DiskSetup& diskSetup,
                   VmSpec spec, kj::String label);
  ~SimulatedMachine() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedMachine);

  enum class Phase {
    BEGUN,    // there is something of it on the host
    RUNS,     // its CPUs run
    REMAINS,  // its QEMU has ended; the rest is to be cleared away
  };

  const VmSpec spec;
  // For the trace.
  const kj::String label;

  Phase phase() const { return present; }
  // In phase REMAINS.
  VmEnd end() const { return why; }

  void run();
  // What goes on in another machine with its memory.
  struct Memory {
    Guest guest;
    SimulatedSetup::Memory setup;
  };
  Memory saved() const { return {guest, guestSetup.memory()}; }
  // It goes on with memory, where its agent listens already.
  void goOnWithMemory(Memory given) { memory = given; }
  bool goesOnWithMemory() const { return memory != nullptr; }
  // And its CPUs have not been told to.
  bool mayYetRunWithMemory() const { return goesOnWithMemory() && present == Phase::BEGUN; }
  void stop(VmEnd why);
  // Resolves when its QEMU has ended.
  kj::Promise<void> onExit() { return exited.addBranch(); }

  bool vsockIsUp() const { return present == Phase::RUNS && vsock; }
  // Breaks every stream.
  void loseVsock();
  void restoreVsock() { vsock = true; }
  kj::Promise<kj::Own<kj::AsyncIoStream>> dial();

  // Lanes of sessions that are open here: whoever has one keeps its other end, also where the bothyd that granted it is killed.
  // Not those that have just begun: their end may be on its way.
  size_t openLanes(kj::StringPtr session) const;
  void forEachLane(kj::FunctionParam<void(kj::StringPtr session)> act) const;
  // Its end on the host is cut, or closed by whoever had it.
  void cutLane(uint64_t lane);

  // A write finds no room on the host's disk: its CPUs stand still until goOn(), for which there is room after a time.
  void stall(kj::Duration noRoomFor);
  bool isStalled() const { return stalled; }
  bool hasRoom() const { return timer.now() >= roomFrom; }
  void goOn();
  // libvirt stops its CPUs.
  void pause();
  bool isPaused() const { return paused; }
  void unpause();
  bool standsStill() const { return stalled || paused; }
  kj::Promise<void> untilItRuns();

  const SimulatedSetup& setup() const { return guestSetup; }

  // What it says from now on, until another opens it.
  kj::Own<kj::AsyncIoStream> openConsole();
  // Its end of the console, which it gives away.
  kj::Own<kj::AsyncIoStream> giveConsole() {
    auto given = kj::mv(KJ_ASSERT_NONNULL(console));
    console = nullptr;
    return given;
  }

private:
  class Control;

  kj::Timer& timer;
  Fate& fate;
  Trace& trace;
  Guest guest;
  SimulatedSetup guestSetup;
  Phase present = Phase::BEGUN;
  VmEnd why = VmEnd::EXITED;
  bool vsock = false;
  kj::TimePoint roomFrom = kj::origin<kj::TimePoint>();
  bool stalled = false;
  bool paused = false;
  kj::Maybe<Memory> memory;
  // Until it goes on.
  kj::Maybe<kj::ForkedPromise<void>> halted;
  kj::Own<kj::PromiseFulfiller<void>> goesOn;
  bool agentListens = false;
  bool poweringOff = false;
  kj::ForkedPromise<void> exited;
  kj::Own<kj::PromiseFulfiller<void>> exit;
  kj::TaskSet tasks;
  kj::TaskSet connections;
  kj::Maybe<kj::Own<kj::AsyncIoStream>> console;
  kj::Promise<void> speaking = nullptr;
  struct SessionLane {
    kj::String session;
    uint64_t lane;
    kj::TimePoint since;
    kj::TimePoint until;  // its lifetime is over
  };
  kj::Vector<SessionLane> sessionLanes;
  kj::HashSet<uint64_t> cutLanes;

  void dropLanes(kj::FunctionParam<bool(const SessionLane&)> isMeant);
  // A lane from its Hello to its end.
  kj::Promise<void> greet(kj::Own<kj::AsyncIoStream> stream);
  void halt();
  void goOnUnlessHalted();
  // Its time passes only while its CPUs run.
  kj::Promise<void> later(kj::Duration after);
  void say(kj::StringPtr text);
  // What the guest does by itself, each after its time.
  kj::Promise<void> talk(kj::Duration after);
  kj::Promise<void> listen(kj::Duration after);
  kj::Promise<void> panic(kj::Duration after);
  kj::Promise<void> reboot(kj::Duration after);
  kj::Promise<void> breakOff();
  void powerOff();
  kj::Promise<void> obey(kj::Duration after);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
