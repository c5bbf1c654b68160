#pragma once

#include <stdint.h>

#include <kj/string.h>

namespace bothy {

// Room on the host's disk that is kept for the worst day: on a full disk what must be written down to make
// room again (a stop, a delete) still finds a place.
class DiskReserve final {
public:
  // Takes it, in a file of that name, which may have it from an earlier life; then gives it if the disk is full.  A
  // disk that has no room for it is a warning in the log.
  explicit DiskReserve(kj::String path);
  KJ_DISALLOW_COPY_AND_MOVE(DiskReserve);

  // Gives the room back to the disk if the disk is full.  False if it is not, or there is nothing to give.
  bool give();
  // Takes it again if it was given and the disk has room.
  void take();

  static constexpr uint64_t BYTES = 4 * 1024 * 1024;

private:
  kj::String path;
  bool isTaken = false;

  bool tryTake();
  bool hasRoom() const;
};

}  // namespace bothy
