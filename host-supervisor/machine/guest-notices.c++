#include "machine/guest-notices.h"

#include "agent/guest-text.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr uint64_t PERCENT = 100;
constexpr uint64_t MIB = 1024 * 1024;

kj::String nameOf(capnp::Text::Reader told) {
  auto size = kj::min(told.size(), size_t{rpc::MAX_EVENT_NAME_BYTES});
  return lineOfGuest(kj::str(told.slice(0, size)));
}

kj::String describe(rpc::ExitStatus::Reader status) {
  auto reason = status.getUsage().getOutOfMemory() > 0 ? ", out of memory"_kj : ""_kj;
  switch (status.which()) {
    case rpc::ExitStatus::EXITED:
      return kj::str("exited with ", status.getExited(), reason);
    case rpc::ExitStatus::KILLED:
      return kj::str("killed by signal ", status.getKilled(), reason);
    case rpc::ExitStatus::TIMED_OUT:
      return kj::str("its time was over", reason);
    case rpc::ExitStatus::LOST:
      break;
  }
  return kj::str("how it ended is not known");
}

kj::String describe(rpc::ProgramEnded::Reader program) {
  auto kind =
      program.getKind() == rpc::ProgramEnded::Kind::TERMINAL ? "terminal "_kj : "command "_kj;
  return kj::str(kind, nameOf(program.getName()), ": ", describe(program.getStatus()));
}

// Without its pid, so that equal ones are counted.
kj::String describe(rpc::OutOfMemory::Reader victim) {
  auto name = nameOf(victim.getName());
  if (victim.getProgram() == 0 || victim.getProgram() == victim.getPid()) return name;
  return kj::str(name, ", of the program with pid ", victim.getProgram());
}

kj::String describe(rpc::DiskUse::Reader disk) {
  const auto total = disk.getTotalBytes();
  const auto share = total == 0 ? 0 : kj::min(disk.getUsedBytes() / (total / PERCENT + 1), PERCENT);
  return kj::str(share, " % of ", total / MIB, " MiB are used");
}

kj::String describe(rpc::Port::Reader port) {
  return kj::str(port.getNumber(), port.getLoopback() ? ", from within alone" : "");
}

}  // namespace

GuestNotices::GuestNotices(const kj::MonotonicClock& clock, Tell tell)
    : clock(clock),
      tell(kj::mv(tell)),
      programs(clock, NOTICE_PERIOD, MOST_PROGRAM_NOTICES),
      victims(clock, NOTICE_PERIOD, MOST_MEMORY_NOTICES),
      disks(clock, NOTICE_PERIOD, MOST_DISK_NOTICES),
      ports(clock, NOTICE_PERIOD, MOST_PORT_NOTICES) {}

void GuestNotices::hear(rpc::AgentEvent::Reader event) {
  switch (event.which()) {
    case rpc::AgentEvent::PROGRAM_ENDED:
      noteEnd(event.getProgramEnded().getKind());
      return pass(programs, Cause::PROGRAM_ENDED, describe(event.getProgramEnded()));
    case rpc::AgentEvent::OUT_OF_MEMORY:
      return pass(victims, Cause::OUT_OF_MEMORY, describe(event.getOutOfMemory()));
    case rpc::AgentEvent::DISK_FILLING:
      return pass(disks, Cause::DISK_FILLING, describe(event.getDiskFilling()));
    case rpc::AgentEvent::PORT_OPENED:
      return pass(ports, Cause::PORT_OPENED, describe(event.getPortOpened()));
    case rpc::AgentEvent::PORT_CLOSED:
      return pass(ports, Cause::PORT_CLOSED, describe(event.getPortClosed()));
    case rpc::AgentEvent::ACTIVITY:
      return keep(event.getActivity());
    case rpc::AgentEvent::LANE_ENDED:
      break;
  }
  // What a newer agent tells.
}

void GuestNotices::keep(rpc::Activity::Reader told) {
  GuestActivity before;
  KJ_IF_MAYBE (known, lastActivity) before = kj::mv(*known);
  auto& activity = lastActivity.emplace();
  activity.commands = told.getCommands();
  activity.lastCommand = before.lastCommand;
  // One that has ended was told of as soon as it had, or within a minute.
  if (before.commands > 0 || activity.commands > 0) activity.lastCommand = clock.now();
  activity.terminals = told.getTerminals();
  activity.lastWake = before.lastWake;
  keepWakes(activity, told);
  if (before.wakes > 0 || activity.wakes > 0) activity.lastWake = clock.now();
  auto input = told.getInput();
  if (!input.isSinceMillis()) return;
  const auto since = kj::min(input.getSinceMillis(), rpc::MAX_MACHINE_AGE_MILLIS);
  activity.lastInput = clock.now() - static_cast<int64_t>(since) * kj::MILLISECONDS;
}

void GuestNotices::keepWakes(GuestActivity& activity, rpc::Activity::Reader told) {
  activity.wakes = told.getWakes();
  if (activity.wakes == 0) return;
  auto longest = told.getLongestWake();
  activity.wakeUid = longest.getUid();
  auto label = longest.getLabel();
  activity.wakeLabel = lineOfGuest(
      kj::str(label.slice(0, kj::min(label.size(), size_t{rpc::MAX_WAKE_LABEL_BYTES}))));
  const auto left = kj::min(longest.getLeftMillis(), rpc::MAX_GUEST_WAKE_MILLIS);
  activity.wakeUntil = clock.now() + static_cast<int64_t>(left) * kj::MILLISECONDS;
}

// What runs is told once a minute at most, and an end at once.
void GuestNotices::noteEnd(rpc::ProgramEnded::Kind kind) {
  KJ_IF_MAYBE (activity, lastActivity) {
    const bool isCommand = kind == rpc::ProgramEnded::Kind::COMMAND;
    if (isCommand) activity->lastCommand = clock.now();
    auto& running = isCommand ? activity->commands : activity->terminals;
    if (running > 0) --running;
  }
}

void GuestNotices::pass(LogPace& pace, Cause cause, kj::String detail) {
  KJ_IF_MAYBE (leftOut, pace.next()) {
    if (*leftOut > 0) detail = kj::str(detail, " (", *leftOut, " more before it are left out)");
    tell(cause, detail);
  }
}

}  // namespace bothy
