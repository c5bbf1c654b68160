#pragma once

#include <kj/string.h>

#include <cstdint>

namespace bothy {

// Two disks of one size in a directory of their own: a workspace's volume, and the qcow2 image that it would be
// without encryption.  They go with the object.
class DiskPair final {
public:
  enum class Disk { PLAIN, ENCRYPTED };

  explicit DiskPair(uint64_t bytes);
  ~DiskPair() noexcept;
  KJ_DISALLOW_COPY_AND_MOVE(DiskPair);

  // Empty but for the disks; for what else goes with them.
  kj::StringPtr directory() const { return path; }

  // What QEMU's programs need as an `object` before options() of the encrypted one.
  kj::String secret() const;
  // The disk as their options for a block device name it.
  kj::String options(Disk disk) const;

private:
  char path[32] = "/var/tmp/bothy-bench-XXXXXX";

  void make(uint64_t bytes);
  void remove() noexcept;
};

}  // namespace bothy
