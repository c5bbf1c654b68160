#pragma once

#include "process/programs.h"
#include "system/activity-watch.h"
#include "system/disk-watch.h"
#include "system/event-feed.h"
#include "system/oom-watch.h"

namespace bothy {

// Tells the supervisor what happens in a machine, over and above what happens to its lanes.
class MachineEvents final: private ProgramListener {
public:
  enum class Disk { PRESENT, NONE };
  // All of them outlive it.  `programsGroup`: the path of the control group of programs.
  MachineEvents(Programs& programs, EventFeed& feed, Disk disk,
                kj::Maybe<kj::StringPtr> programsGroup);
  ~MachineEvents() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(MachineEvents);

  void noteWakes(const WakeSummary& wakes) { activity.noteWakes(wakes); }

private:
  Programs& programs;
  EventFeed& feed;
  ActivityWatch activity;
  OomWatch memory;
  kj::Maybe<DiskWatch> disk;
  kj::Maybe<ListenerWatch> listeners;

  void programEnded(const ProgramEnd& end) override;
  void runningChanged(RunningPrograms running) override { activity.noteRunning(running); }
  void inputCame() override { activity.noteInput(); }
};

}  // namespace bothy
