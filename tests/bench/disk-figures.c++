#include "bench/disk-figures.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "bench/disk-pair.h"
#include "keys/message-code.h"
#include "support/host-program.h"
#include "volume/encrypted-volume-store.h"

namespace bothy {
namespace {

using Disk = DiskPair::Disk;

constexpr uint64_t DISK_BYTES = 1024ull * 1024 * 1024;
// Even: each disk is the first one equally often.
constexpr uint ROUNDS = 8;
constexpr uint CREATIONS = 20;
constexpr uint SEQUENTIAL_MIB = 256;
constexpr uint RANDOM_WRITES = 1500;
constexpr uint SYNCED_WRITES = 1500;
constexpr uint HOST_WRITES = 100;  // in a round
constexpr size_t BLOCK_BYTES = 4096;
constexpr uint BLOCKS =
    SEQUENTIAL_MIB * 1024 * 1024 / BLOCK_BYTES;  // which the sequential writes have allocated

// Places of blocks: the same ones in every run.
class ScatteredBlocks final {
public:
  uint next() {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % BLOCKS;
  }

private:
  uint32_t state = 1;
};

void runQemuIo(const DiskPair& disks, Disk disk, kj::ArrayPtr<const kj::String> commands) {
  auto secret = disks.secret(), options = disks.options(disk);
  kj::Vector<kj::StringPtr> argv;
  argv.addAll(kj::ArrayPtr<const kj::StringPtr>({"qemu-io"_kj, "--object"_kj, secret}));
  for (auto& command : commands) {
    argv.add("-c");
    argv.add(command);
  }
  argv.add("--image-opts");
  argv.add(options);
  hostOutput(argv);
}

// Without what opening the image and starting the program takes.
double qemuIoMillis(const DiskPair& disks, Disk disk, kj::ArrayPtr<const kj::String> commands) {
  auto nothing = kj::arr(kj::str("length"));
  auto base = milliseconds([&]() { runQemuIo(disks, disk, nothing); });
  return kj::max(0.001, milliseconds([&]() { runQemuIo(disks, disk, commands); }) - base);
}

// A round of a row is a sample of each disk, one right after the other, and the next round begins with the other one:
// what else the host does, the writing back of what a row before wrote included, meets both.
template <typename Function>
void addRound(Row& row, uint round, Function&& sample) {
  if (round % 2 == 0) row.floor.add(sample(Disk::PLAIN));
  row.samples.add(sample(Disk::ENCRYPTED));
  if (round % 2 == 1) row.floor.add(sample(Disk::PLAIN));
}

kj::Array<kj::String> sequentialWrites() {
  kj::Vector<kj::String> commands;
  for (uint i = 0; i < SEQUENTIAL_MIB; i++) commands.add(kj::str("write -q ", i, "M 1M"));
  commands.add(kj::str("flush"));
  return commands.releaseAsArray();
}

kj::Array<kj::String> randomWrites(uint count, bool synced) {
  kj::Vector<kj::String> commands;
  ScatteredBlocks blocks;
  for (uint i = 0; i < count; i++) {
    commands.add(kj::str("write -q ", blocks.next() * (BLOCK_BYTES / 1024), "k 4k"));
    if (synced) commands.add(kj::str("flush"));
  }
  if (!synced) commands.add(kj::str("flush"));
  return commands.releaseAsArray();
}

void measureCreation(kj::Vector<Row>& rows, kj::StringPtr directory) {
  auto io = kj::setupAsyncIo();
  EncryptedVolumeStore store(io.provider->getTimer(), kj::str(directory, "/creations"),
                             &messageCode);
  auto& row = addRow(rows, "volume: creation, over a file", "ms", 50);
  for (uint i = 0; i < CREATIONS; i++) {
    auto plain = milliseconds([&]() {
      auto path = kj::str(directory, "/created"), made = kj::str(path, ".new");
      int raw;
      KJ_SYSCALL(raw = open(made.cStr(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      kj::AutoCloseFd fd(raw);
      KJ_SYSCALL(ftruncate(fd, DISK_BYTES));
      KJ_SYSCALL(fsync(fd));
      KJ_SYSCALL(rename(made.cStr(), path.cStr()));
      KJ_SYSCALL(raw = open(directory.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      kj::AutoCloseFd within(raw);
      KJ_SYSCALL(fsync(within));
    });
    Secret key(32);
    auto made =
        milliseconds([&]() { store.create("made", DISK_BYTES, key.clone()).wait(io.waitScope); });
    row.samples.add(kj::max(0.0, made - plain));
    store.destroy("made").wait(io.waitScope);
  }
}

// A file of the host with all its blocks allocated, written to and synced without QEMU.
class HostFile final {
public:
  explicit HostFile(kj::StringPtr directory) : block(kj::heapArray<kj::byte>(BLOCK_BYTES)) {
    memset(block.begin(), 'b', block.size());
    int raw;
    KJ_SYSCALL(raw = open(kj::str(directory, "/host-file").cStr(),
                          O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    fd = kj::AutoCloseFd(raw);
    for (uint i = 0; i < BLOCKS; i++) write(i);
    KJ_SYSCALL(fsync(fd));
  }

  double syncedWriteMillis() {
    auto place = places.next();
    return milliseconds([&]() {
      write(place);
      KJ_SYSCALL(fdatasync(fd));
    });
  }

private:
  kj::AutoCloseFd fd;
  kj::Array<kj::byte> block;
  ScatteredBlocks places;

  void write(uint place) {
    ssize_t n;
    KJ_SYSCALL(n = pwrite(fd, block.begin(), block.size(), off_t{place} * BLOCK_BYTES));
    KJ_REQUIRE(n == static_cast<ssize_t>(block.size()), "short write", n);
  }
};

}  // namespace

void measureDisks(kj::Vector<Row>& rows) {
  DiskPair disks(DISK_BYTES);
  measureCreation(rows, disks.directory());

  auto sequential = sequentialWrites();
  auto& stream = addRow(rows, "volume: sequential writes", "MiB/s", nullptr, Row::Better::HIGHER);
  for (uint i = 0; i < ROUNDS; i++) {
    addRound(stream, i, [&](Disk disk) {
      return SEQUENTIAL_MIB * 1000 / qemuIoMillis(disks, disk, sequential);
    });
  }
  auto random = randomWrites(RANDOM_WRITES, false);
  auto& scattered = addRow(rows, "volume: random write of 4 KiB", "ms");
  for (uint i = 0; i < ROUNDS; i++) {
    addRound(scattered, i,
             [&](Disk disk) { return qemuIoMillis(disks, disk, random) / RANDOM_WRITES; });
  }
  HostFile file(disks.directory());
  auto synced = randomWrites(SYNCED_WRITES, true);
  auto& durable = addRow(rows, "volume: 4 KiB write and flush", "ms");
  auto& host = addRow(rows, "host: 4 KiB write and fdatasync", "ms");
  for (uint i = 0; i < ROUNDS; i++) {
    addRound(durable, i,
             [&](Disk disk) { return qemuIoMillis(disks, disk, synced) / SYNCED_WRITES; });
    for (uint j = 0; j < HOST_WRITES; j++) host.samples.add(file.syncedWriteMillis());
  }
}

}  // namespace bothy
