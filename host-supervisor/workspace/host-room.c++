#include "workspace/host-room.h"

namespace bothy {

kj::Promise<kj::Maybe<Shortage>> shortageOfRoom(const World& world, const HostCapacity& capacity,
                                                uint64_t moreMib) {
  if (capacity.policy().freeDiskMib + moreMib == 0) co_return nullptr;
  kj::Maybe<uint64_t> free;
  co_await within(world.timer, ROOM_LIMIT, "the room on the host's disk was not found",
                  kj::evalNow([&]() { return world.volumes.freeBytes(); }))
      .then([&free](uint64_t bytes) { free = bytes; }, [](kj::Exception&&) {});
  KJ_IF_MAYBE (bytes, free) co_return capacity.shortageOfRoom(*bytes >> 20, moreMib);
  co_return nullptr;
}

}  // namespace bothy
