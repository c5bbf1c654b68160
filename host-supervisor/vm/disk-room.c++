#include "vm/disk-room.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr kj::Duration CHECK_PAUSE = 1 * kj::SECONDS;

}  // namespace

kj::Promise<void> DiskRoom::whenFree(kj::StringPtr disk) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiters.push_back({kj::str(disk), kj::mv(paf.fulfiller)});
  if (!isWatching) {
    isWatching = true;
    watching = watch().eagerlyEvaluate([](kj::Exception&& e) {
      KJ_LOG(ERROR, "nobody watches for room on the host's disk any more", e);
    });
  }
  return kj::mv(paf.promise);
}

kj::Promise<void> DiskRoom::watch() {
  while (!waiters.empty()) {
    co_await timer.afterDelay(CHECK_PAUSE);
    check();
  }
  isWatching = false;
}

void DiskRoom::check() {
  // What each file system has for those who were not let go yet.
  kj::HashMap<uint64_t, uint64_t> freeBytes;
  std::deque<Waiter> still;
  for (auto& waiter : waiters) {
    if (!waiter.fulfiller->isWaiting()) continue;
    bool goesOn = false;
    auto failure = kj::runCatchingExceptions([&]() {
      KJ_IF_MAYBE (space, measureSpace(waiter.disk)) goesOn = isLetGo(*space, freeBytes);
    });
    KJ_IF_MAYBE (e, failure) {
      if (!waiter.isTold) {
        KJ_LOG(ERROR, "the room of a disk cannot be found; trying again", waiter.disk,
               e->getDescription());
      }
      waiter.isTold = true;
    }
    if (goesOn) {
      waiter.fulfiller->fulfill();
    } else {
      still.push_back(kj::mv(waiter));
    }
  }
  waiters = kj::mv(still);
}

bool DiskRoom::isLetGo(const Space& space, kj::HashMap<uint64_t, uint64_t>& freeBytes) {
  auto& left =
      freeBytes.findOrCreate(space.fileSystem, [&]() -> kj::HashMap<uint64_t, uint64_t>::Entry {
        return {space.fileSystem, space.freeBytes};
      });
  if (left < ROOM_BYTES) return false;
  left -= ROOM_BYTES;
  return true;
}

kj::Maybe<DiskRoom::Space> DiskRoom::measure(kj::StringPtr path) {
  struct stat file;
  struct statvfs stats;
  if (stat(path.cStr(), &file) < 0 || statvfs(path.cStr(), &stats) < 0) return nullptr;
  return Space{file.st_dev, uint64_t(stats.f_bavail) * stats.f_frsize};
}

}  // namespace bothy
