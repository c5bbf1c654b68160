#include "machine-events.h"

namespace bothy {

MachineEvents::MachineEvents(ProcessHost& host, EventFeed& feed, Disk presence,
                             kj::Maybe<kj::StringPtr> programsGroup)
    : host(host),
      feed(feed),
      activity(host.timer, [this](const Activity& now) { this->feed.tell(Activity(now)); }),
      memory(host.eventPort, [this](const OomVictim& victim) {
        // Nobody's: no program was in it yet.
        if (this->host.trees.isPrepared(victim.pid)) return;
        auto program = this->host.trees.leaderOf(victim.pid).orDefault(0);
        this->feed.tell(EventFeed::OutOfMemory{static_cast<uint32_t>(victim.pid),
                                               kj::str(victim.name),
                                               static_cast<uint32_t>(program)});
      }) {
  if (presence == Disk::PRESENT) {
    disk.emplace(host.eventPort, kj::str("/"), DISK_PRESSURE,
                 [this](uint64_t used, uint64_t total) {
                   this->feed.tell(EventFeed::DiskUse{used, total});
                 });
  }
  KJ_IF_MAYBE (group, programsGroup) {
    listeners.emplace(host.eventPort, *group,
                      [this](ListenerWatch::Change change, ListenedPort port) {
                        this->feed.tell(EventFeed::PortChange{change, port});
                      });
  }
  host.listener = *this;
}

MachineEvents::~MachineEvents() noexcept(false) {
  host.listener = nullptr;
}

void MachineEvents::programEnded(const ProgramEnd& end) {
  feed.programEnded(end);
  KJ_IF_MAYBE (watched, disk) watched->look();
}

}  // namespace bothy
