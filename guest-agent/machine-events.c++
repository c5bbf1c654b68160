#include "machine-events.h"

namespace bothy {

MachineEvents::MachineEvents(Programs& programs, EventFeed& feed, Disk presence,
                             kj::Maybe<kj::StringPtr> programsGroup)
    : programs(programs),
      feed(feed),
      activity(programs.timer, [this](const Activity& now) { this->feed.tell(Activity(now)); }),
      memory(programs.eventPort, [this](const OomVictim& victim) {
        // Nobody's: no program was in it yet.
        if (this->programs.trees.isPrepared(victim.pid)) return;
        auto program = this->programs.trees.leaderOf(victim.pid).orDefault(0);
        this->feed.tell(EventFeed::OutOfMemory{static_cast<uint32_t>(victim.pid),
                                               kj::str(victim.name),
                                               static_cast<uint32_t>(program)});
      }) {
  if (presence == Disk::PRESENT) {
    disk.emplace(programs.eventPort, kj::str("/"), DISK_PRESSURE,
                 [this](uint64_t used, uint64_t total) {
                   this->feed.tell(EventFeed::DiskUse{used, total});
                 });
  }
  KJ_IF_MAYBE (group, programsGroup) {
    listeners.emplace(programs.eventPort, *group,
                      [this](ListenerWatch::Change change, ListenedPort port) {
                        this->feed.tell(EventFeed::PortChange{change, port});
                      });
  }
  programs.listener = *this;
}

MachineEvents::~MachineEvents() noexcept(false) {
  programs.listener = nullptr;
}

void MachineEvents::programEnded(const ProgramEnd& end) {
  feed.programEnded(end);
  KJ_IF_MAYBE (watched, disk) watched->look();
}

}  // namespace bothy
