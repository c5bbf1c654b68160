#pragma once

#include <kj/array.h>
#include <stdint.h>

namespace bothy {

// What the agent reads of an ext4 file system that is not mounted, from the device or a file `fd`.  The
// layout is that of Documentation/filesystems/ext4/super.rst.  Each throws if it cannot be read.

// Reads all of `buffer` at `offset`.
void readDisk(int fd, uint64_t offset, kj::ArrayPtr<kj::byte> buffer);

// Where superblocks start, in bytes: the first, and with blocks of 4 KiB the backups in block groups 1
// and 3, of 128 MiB each.
constexpr uint64_t SUPERBLOCK_OFFSET = 1024;
constexpr uint64_t BACKUP_OFFSETS[] = {1 * 128 * 1024 * 1024, 3 * 128 * 1024 * 1024};

// Whether the magic of ext2, ext3 and ext4 is there.
bool hasSuperblock(int fd, uint64_t offset);

// Blocks of the file system.
uint64_t blockCount(int fd);

// Whether the kernel would mount it with a warning that it wants e2fsck: it has met an error
// (EXT4_ERROR_FS in s_state), or it was written to without a journal and not unmounted (no
// EXT4_VALID_FS).  A journal that must be replayed is neither: mounting does that.
bool wantsCheck(int fd);

}  // namespace bothy
