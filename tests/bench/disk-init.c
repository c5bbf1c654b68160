// The guest of the fsync figure: an init that writes 4 KiB to a file and syncs it, on two disks with ext4 by
// turns.  Its console has, when all is measured, a line "SERIAL NANOSECONDS" for each write with its sync, then
// "end COUNT" with the number of such lines for a disk; or "failed: WHY".
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  DISKS = 2,
  WRITE_BYTES = 4096,
  FILL_BYTES = 1024 * 1024,
  FILE_MIB = 64,
  FILE_WRITES = FILE_MIB * 1024 * 1024 / WRITE_BYTES,
  WARM_UPS = 50,
  BLOCKS = 20,
  WRITES_PER_BLOCK = 50,
  SAMPLES = BLOCKS * WRITES_PER_BLOCK,
  MOST_SERIAL_BYTES = 20  // virtio's VIRTIO_BLK_ID_BYTES
};

struct Disk {
  char device[16];
  char target[16];
  char serial[MOST_SERIAL_BYTES + 1];
  int file;
  uint64_t nanos[SAMPLES];
};

static struct Disk disks[DISKS];
static char data[FILL_BYTES];
static uint32_t randomState = 1;

// Does not return: whoever reads the console ends the machine.
static void fail(const char* format, ...) {
  int error = errno;
  printf("failed: ");
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf(": %s\n", strerror(error));
  fflush(stdout);
  for (;;) pause();
}

static uint64_t now(void) {
  struct timespec time;
  if (clock_gettime(CLOCK_MONOTONIC, &time) != 0) fail("clock_gettime");
  return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void mountAt(const char* device, const char* target, const char* type, unsigned long flags,
                    const char* options) {
  if (mkdir(target, 0755) != 0 && errno != EEXIST) fail("mkdir %s", target);
  if (mount(device, target, type, flags, options) != 0) fail("mount %s at %s", device, target);
}

static void writeAll(struct Disk* disk, size_t size, off_t offset) {
  errno = 0;  // a short write sets none
  if (pwrite(disk->file, data, size, offset) != (ssize_t)size) fail("write to %s", disk->device);
}

static void prepare(struct Disk* disk, int index) {
  snprintf(disk->device, sizeof(disk->device), "/dev/vd%c", 'a' + index);
  snprintf(disk->target, sizeof(disk->target), "/disk%d", index);

  char path[64];
  snprintf(path, sizeof(path), "/sys/block/vd%c/serial", 'a' + index);
  int serial = open(path, O_RDONLY);
  if (serial < 0 || read(serial, disk->serial, MOST_SERIAL_BYTES) <= 0) fail("read %s", path);
  close(serial);
  disk->serial[strcspn(disk->serial, "\n")] = 0;

  // As a workspace has its data disk.
  mountAt(disk->device, disk->target, "ext4", MS_NOATIME | MS_NOSUID | MS_NODEV,
          "errors=remount-ro,noinit_itable,discard");
  snprintf(path, sizeof(path), "%s/file", disk->target);
  disk->file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (disk->file < 0) fail("open %s", path);
  for (int i = 0; i < FILE_MIB; i++) writeAll(disk, FILL_BYTES, (off_t)i * FILL_BYTES);
  if (fsync(disk->file) != 0) fail("fsync of %s", disk->device);
}

static uint64_t writeAndSync(struct Disk* disk) {
  randomState = randomState * 1664525 + 1013904223;
  off_t offset = (off_t)((randomState >> 8) % FILE_WRITES) * WRITE_BYTES;
  uint64_t begin = now();
  writeAll(disk, WRITE_BYTES, offset);
  if (fdatasync(disk->file) != 0) fail("fdatasync of %s", disk->device);
  return now() - begin;
}

int main(void) {
  mountAt("dev", "/dev", "devtmpfs", 0, NULL);
  mountAt("sys", "/sys", "sysfs", 0, NULL);
  for (int i = 0; i < FILL_BYTES; i++) data[i] = (char)(i * 31 + 7);
  for (int i = 0; i < DISKS; i++) prepare(&disks[i], i);

  for (int i = 0; i < WARM_UPS * DISKS; i++) writeAndSync(&disks[i % DISKS]);
  for (int block = 0; block < BLOCKS; block++) {
    for (int turn = 0; turn < DISKS; turn++) {
      struct Disk* disk = &disks[(block + turn) % DISKS];
      for (int i = 0; i < WRITES_PER_BLOCK; i++) {
        disk->nanos[block * WRITES_PER_BLOCK + i] = writeAndSync(disk);
      }
    }
  }

  for (int i = 0; i < DISKS; i++) {
    if (close(disks[i].file) != 0) fail("close on %s", disks[i].device);
    if (umount(disks[i].target) != 0) fail("umount %s", disks[i].target);
    for (int sample = 0; sample < SAMPLES; sample++) {
      printf("%s %llu\n", disks[i].serial, (unsigned long long)disks[i].nanos[sample]);
    }
  }
  printf("end %d\n", SAMPLES);
  fflush(stdout);
  for (;;) pause();
}
