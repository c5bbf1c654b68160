#pragma once

#include <kj/refcount.h>

#include <vector>

#include "agent/agent-link.h"
#include "loop/log-pace.h"
#include "machine/guest-notices.h"
#include "vm/vm-driver.h"

namespace bothy {

// How long the agent may leave it unanswered that a lane is to end, before its control lane is dropped with all that it has not
// answered: each question takes memory here until its answer comes, and an agent may never give one.  An agent that is alive
// answers within seconds, however slow its machine is; and a control lane is dropped at most once in this time.
constexpr kj::Duration END_ANSWER_LIMIT = 10 * kj::SECONDS;

// How long after a control lane was lost another is opened: twice as long after each that did not stand for long, within these bounds.
// The least is long enough for the lanes of a device that was replaced to be heard of first.
constexpr kj::Duration LEAST_REOPEN_PAUSE = 1 * kj::SECONDS;
constexpr kj::Duration MOST_REOPEN_PAUSE = 1 * kj::MINUTES;
// Between two lines of the log about it, and between two about ends of lanes that the agent did not keep.
constexpr kj::Duration LOSS_LOG_PAUSE = 10 * kj::SECONDS;
// Lines of the log in a second about lanes that an agent says to have closed.
constexpr kj::uint MOST_CLOSE_LINES = 20;

// Of a machine that is paused: how long its agent has to end the lanes of which only an earlier bothyd knew.
constexpr kj::Duration CLOSE_LANES_LIMIT = 500 * kj::MILLISECONDS;

// One boot of a workspace: its VM and the way to its agent.  Outlives the VM in the hands of clients; then
// every call fails with DISCONNECTED.  Dropping it leaves the VM running.
class Machine final: public kj::Refcounted, private kj::TaskSet::ErrorHandler {
public:
  // `workspace`: for the log.  `firstLane`: see newAgentLink().  `happened` gets what its agent reports, until retire().
  Machine(
      kj::Timer& timer, kj::StringPtr workspace, kj::Own<RunningVm> vm,
      kj::Array<const kj::byte> secret, uint64_t firstLane,
      GuestNotices::Tell happened = [](Cause, kj::StringPtr) {});
  ~Machine() noexcept(false);

  kj::StringPtr workspaceName() const { return workspace; }

  // See AgentLink.
  kj::Promise<rpc::AgentControl::Client> control();
  kj::Promise<uint16_t> generation();
  kj::Promise<void> ready();
  kj::Promise<AgentLink::OpenedLane> openLane(LaneGrant grant);
  // Asks the agent to close it, over a new control lane where the old one is lost; returns when it is closed.  Who drops the promise
  // does not take the question back.
  kj::Promise<void> endLane(uint64_t lane);

  // The same for all lanes of a session; fails where the agent cannot be asked.
  kj::Promise<void> endSession(kj::StringPtr session);

  // An earlier bothyd had it, and may have granted lanes of which this one knows nothing.
  void noteAdopted() { mayHaveEarlier = !isWithoutStreams(); }
  // Such lanes may be open: none is once the vsock device has failed since then, or has been taken off for a pause.
  bool mayHaveEarlierLanes() const { return mayHaveEarlier && losses == 0; }

  // Asks the agent to end all programs within the grace, and the machine then; returns when it has taken the order, or the machine has ended.
  kj::Promise<void> requestPowerOff(uint32_t graceMillis);

  // See GuestNotices.
  kj::Maybe<const GuestActivity&> activity() const { return notices.activity(); }

  // Whether the control lane stands.
  bool isLinked();

  kj::Promise<VmEnd> onEnd() { return vm->onEnd(); }
  kj::Promise<void> destroy() { return vm->destroy(); }
  uint32_t user() { return vm->user(); }
  kj::Array<kj::byte> consoleEnd() { return vm->consoleEnd(); }
  bool isConsoleKnown() { return vm->isConsoleKnown(); }
  bool isStalled() { return vm->isStalled(); }
  // Why its CPUs stop.
  enum class Halt { STALL, PAUSE };
  // Resolves when it stands still, or is about to be paused.  Fails with DISCONNECTED when it is gone first.
  kj::Promise<Halt> onHalt();
  // The host's disk is full.
  void noteStall() { noteHalt(Halt::STALL); }

  // Before pause(): from now on it is reached by nobody, and its lanes end; the control lane is the last.  Also of those of which only an
  // earlier bothyd knew, where the agent answers.  Returns within CLOSE_LANES_LIMIT.
  kj::Promise<void> closeLanes();
  // See RunningVm.  Lanes can be opened again when resume() has returned.
  kj::Promise<void> pause();
  kj::Promise<void> resume();
  // Of one that was not paused after closeLanes().
  void openLanes();
  // From closeLanes() on until resume() has returned.
  bool isPaused() { return areLanesClosed || vm->isPaused(); }
  bool isVmPaused() { return vm->isPaused(); }
  bool keepsStreams() { return vm->keepsStreams(); }
  // It was to stand still, and ends: a reboot of its guest is such an end too.
  void refuseReboot() { mayGuestReboot = false; }
  bool mayReboot() const { return mayGuestReboot; }
  // Sets the guest's clock, gives its kernel's randomness that seed, if it is not empty, and lets go on what freezeGuest() has stopped.
  // None: its agent is too old for that.
  struct Woken {
    kj::Duration behind;  // its clock was
    bool wasFrozen;       // its programs were, until now
  };
  kj::Promise<kj::Maybe<Woken>> wakeGuest(kj::Date now, kj::Array<const kj::byte> seed = nullptr);
  // After closeLanes(), and while its CPUs run: has its agent set its clock, and then stop the programs of users, which go on by themselves
  // after `thawAfter` of its own time.  Nobody is connected to it when this returns.
  kj::Promise<void> freezeGuest(kj::Date now, kj::Duration thawAfter);
  // See RunningVm.
  kj::Promise<void> save(MemoryFile file) { return vm->save(kj::mv(file)); }
  // Lets its CPUs go on, and nobody else reach it: between pause() and resume().
  kj::Promise<void> letGoOn() { return vm->resume(); }
  // Ends all its lanes, see RunningVm; in vain where the vsock is the kernel's.
  void renewVsock() { vm->renewVsock(); }
  bool canRenewVsock() { return !vm->keepsStreams(); }
  kj::Promise<void> limitIo(IoLimits limits) { return vm->limitIo(limits); }
  // Its vsock device has failed and is being replaced: all streams through it are broken.
  void noteVsockLoss() { ++losses; }
  kj::uint vsockLosses() const { return losses; }

  // The workspace is done with it: breaks what clients still hold.
  void retire();
  bool isRetired() const { return link == nullptr; }
  // It is retired, or will be when the driver has done with it.
  bool isEnding() { return isRetired() || vm->isEnding(); }

private:
  kj::Timer& timer;
  const kj::String workspace;
  LogPace closeLines{timer, 1 * kj::SECONDS, MOST_CLOSE_LINES};
  kj::Own<RunningVm> vm;
  GuestNotices notices;
  std::vector<kj::Own<kj::PromiseFulfiller<Halt>>> awaitingHalt;
  bool areLanesClosed;
  bool mayHaveEarlier = false;
  bool mayGuestReboot = true;
  kj::uint losses = 0;  // of its vsock device
  kj::Maybe<kj::Own<AgentLink>> link;
  kj::TaskSet endings;  // of lanes, that the agent was asked for
  // Of the control lane: without one nobody hears what the agent reports, nor why a lane has ended.
  kj::Duration reopenPause = LEAST_REOPEN_PAUSE;
  kj::Maybe<kj::TimePoint> lastLoss;
  LogPace lossLines{timer, LOSS_LOG_PAUSE};
  LogPace missedLines{timer, LOSS_LOG_PAUSE};
  bool isReopening = false;
  kj::Promise<void> reopening = nullptr;

  void noteClosed(uint64_t lane, rpc::AgentEvent::What what);
  void noteMissed(uint64_t count);
  void noteLoss(kj::StringPtr why);
  kj::Promise<void> reopen();
  void noteHalt(Halt why);
  // A pause has ended all to its guest.
  bool isWithoutStreams() { return vm->isPaused() && !vm->keepsStreams(); }
  kj::Promise<void> endAllLanes();
  AgentLink& requireLink();
  using Choose = kj::Function<void(rpc::LaneChoice::Builder)>;
  kj::Promise<void> end(Choose choose);
  kj::Promise<void> askForEnd(Choose choose);
  // Who asked is told too.
  void taskFailed(kj::Exception&&) override {}
};

}  // namespace bothy
