#include "bench/guest-disk-figures.h"

#include "bench/disk-pair.h"
#include "bench/floor-machine.h"
#include "bench/fsync-samples.h"
#include "support/host-program.h"

namespace bothy {
namespace {

using Disk = DiskPair::Disk;

constexpr uint64_t DISK_BYTES = 256ull * 1024 * 1024;
constexpr uint32_t MEMORY_MIB = 512;
// Even: each disk is the first one equally often.
constexpr uint BOOTS = 4;
// A disk on which each of a boot's 2,100 syncs takes 50 ms is not worth the wait.
constexpr kj::Duration BOOT_LIMIT = 120 * kj::SECONDS;

// An empty ext4 on both, as the agent makes it.
void format(const DiskPair& disks) {
  auto raw = kj::str(disks.directory(), "/ext4.raw");
  hostOutput({"truncate"_kj, "-s"_kj, kj::str(DISK_BYTES), raw});
  hostOutput({"/sbin/mkfs.ext4"_kj, "-q"_kj, "-F"_kj, "-b"_kj, "4096"_kj, "-m"_kj, "0"_kj, "-E"_kj,
              "lazy_itable_init=1,lazy_journal_init=1,nodiscard"_kj, raw});
  for (auto disk : {Disk::PLAIN, Disk::ENCRYPTED}) {
    hostOutput({"qemu-img"_kj, "convert"_kj, "--object"_kj, disks.secret(), "-n"_kj, "-f"_kj,
                "raw"_kj, "--target-image-opts"_kj, "-t"_kj, "writeback"_kj, raw,
                disks.options(disk)});
  }
}

// As libvirt attaches a workspace's data disk (vm/domain-xml).
void attach(kj::Vector<kj::String>& arguments, const DiskPair& disks, Disk disk) {
  auto serial = disk == Disk::PLAIN ? PLAIN_SERIAL : ENCRYPTED_SERIAL;
  arguments.add(kj::str("-drive"));
  arguments.add(
      kj::str("if=none,cache=writeback,discard=unmap,id=", serial, ',', disks.options(disk)));
  arguments.add(kj::str("-device"));
  arguments.add(kj::str("virtio-blk-pci,drive=", serial, ",serial=", serial));
}

}  // namespace

void measureGuestDisks(kj::Vector<Row>& rows) {
  DiskPair disks(DISK_BYTES);
  format(disks);
  auto initramfs = makeFloorInitramfs(disks.directory(), BOTHY_DISK_INIT ""_kj);
  auto& row = addRow(rows, "fsync in a guest, on ext4", "ms", 1.10);
  for (uint i = 0; i < BOOTS; i++) {
    kj::Vector<kj::String> arguments;
    arguments.add(kj::str("-object"));
    arguments.add(disks.secret());
    attach(arguments, disks, i % 2 == 0 ? Disk::PLAIN : Disk::ENCRYPTED);
    attach(arguments, disks, i % 2 == 0 ? Disk::ENCRYPTED : Disk::PLAIN);
    auto words = KJ_MAP(argument, arguments)->kj::StringPtr {
      return argument;
    };

    FloorMachine machine(initramfs, MEMORY_MIB, BOOT_LIMIT, words);
    FsyncSamples samples;
    while (samples.take(machine.readLine())) {
    }
    row.floor.addAll(samples.plain);
    row.samples.addAll(samples.encrypted);
  }
}

}  // namespace bothy
