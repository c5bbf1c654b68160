#pragma once

#include <kj/io.h>
#include <kj/string.h>

#include "boot/data-disk.h"

namespace bothy {

// The devices of a workspace's machine, in the order in which the supervisor plugs them.
constexpr kj::StringPtr IMAGE_DEVICE = "/dev/vda"_kj;
constexpr kj::StringPtr DATA_DEVICE = "/dev/vdb"_kj;

// Where the parts of the root are mounted, in the initramfs.
constexpr kj::StringPtr IMAGE_MOUNT = "/image"_kj;
constexpr kj::StringPtr DATA_MOUNT = "/data"_kj;
constexpr kj::StringPtr ROOT_MOUNT = "/root"_kj;

// Whether "/" is an initramfs, out of which a root must be made.  False where the agent was started as
// /sbin/init of a root file system that the kernel has mounted.
bool isInitramfs();

// The steps from an initramfs to the machine's root, in order.  Each throws if it fails.

// Mounts the image, read-only.
void mountImage();

// Mounts the data disk, or memory in its place where there is none or it is damaged.
DiskState mountData();

// Memory in place of a data disk: over one that is mounted but of no use.
void mountMemoryForData();

// Joins both into the root.
void mountRoot();

// Goes there, with the mounts of MOVED_MOUNTS, and empties the initramfs.  Returns a handle on the data
// disk's mount, which has no path any more: at power-off it is made read-only through it.
kj::AutoCloseFd switchRoot();

// Makes the machine's file systems consistent on the disk, so that the next boot has nothing to repair.
// What users mounted is taken down before, see user-mounts.h.  Never fails: what cannot be made read-only
// is synced.
void settleFileSystems(kj::Maybe<int> dataMount);

}  // namespace bothy
