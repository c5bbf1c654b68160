#pragma once

#include <kj/io.h>
#include <kj/one-of.h>
#include <kj/string.h>

#include "boot/disk-repair.h"

namespace bothy {

// The workspace's own disk: an ext4 file system on the whole device, but for a strip at its end that
// marks a format under way.

// Bytes at the end of the device that the file system leaves free.
constexpr uint64_t FORMAT_STRIP_BYTES = 64 * 1024;

// Below this a disk cannot hold a file system worth having, in bytes.
constexpr uint64_t MIN_DATA_DISK_BYTES = 16 * 1024 * 1024;

enum class DiskContent {
  BLANK,           // zero wherever one looks
  EXT4,            // has a superblock
  HALF_FORMATTED,  // a format of ours was cut short: nobody has written to it yet
  FOREIGN,         // anything else, or an ext4 that lost its superblock
};

// Looks at the start, the end, the places of backup superblocks and samples between.  `fd` is a block
// device or a file.  Throws if it cannot be read.
DiskContent inspectDisk(int fd);

// Says on the disk that what is on it from here on is a format under way, and takes that back.  Durable
// on return.
void markFormatting(int fd);
void clearFormatting(int fd);

// The size of a block device or file, in bytes.
uint64_t diskBytes(int fd);

// How it went.
struct DiskReady {
  bool created;              // formatted now
  kj::Maybe<Repair> repair;  // none: the file system had no fault
};
struct DiskAbsent {};
struct DiskDamaged {
  kj::String reason;
};
using DiskState = kj::OneOf<DiskReady, DiskAbsent, DiskDamaged>;

// Mounts `device` at `target`, formatting it first if it is blank, and repairing it if the kernel has found a
// fault, with the mkfs.ext4 and e2fsck of the file system at `toolsRoot` (which has directories /dev and
// /proc).  A disk that holds anything else is not written to.
// Never throws: all that can go wrong is DiskDamaged.
DiskState mountDataDisk(kj::StringPtr device, kj::StringPtr target, kj::StringPtr toolsRoot);

}  // namespace bothy
