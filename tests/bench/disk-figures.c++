#include "bench/disk-figures.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "secret/random-bytes.h"
#include "support/host-program.h"
#include "volume/encrypted-volume-store.h"

namespace bothy {
namespace {

constexpr uint64_t DISK_BYTES = 1024ull * 1024 * 1024;
constexpr uint ROUNDS = 5;
constexpr uint CREATIONS = 20;
constexpr uint SEQUENTIAL_MIB = 256;
constexpr uint RANDOM_WRITES = 1500;
constexpr uint SYNCED_WRITES = 500;
constexpr uint BLOCKS =
    SEQUENTIAL_MIB * 256;  // of 4 KiB, which the sequential writes have allocated

// A directory of its own, removed at the end.
struct Directory {
  Directory() { KJ_REQUIRE(mkdtemp(path) != nullptr); }
  ~Directory() noexcept(false) { hostOutput({"/bin/rm"_kj, "-rf"_kj, kj::StringPtr(path)}); }
  char path[32] = "/var/tmp/bothy-bench-XXXXXX";
};

// An image as qemu-io is told of it.
struct Image {
  kj::String options;
  kj::String secretFile;

  void run(kj::ArrayPtr<const kj::String> commands) const {
    auto secret = kj::str("secret,id=k,file=", secretFile);
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
  double millis(kj::ArrayPtr<const kj::String> commands) const {
    auto nothing = kj::arr(kj::str("length"));
    auto base = milliseconds([&]() { run(nothing); });
    return kj::max(0.001, milliseconds([&]() { run(commands); }) - base);
  }
};

kj::Array<kj::String> sequentialWrites() {
  kj::Vector<kj::String> commands;
  for (uint i = 0; i < SEQUENTIAL_MIB; i++) commands.add(kj::str("write -q ", i, "M 1M"));
  commands.add(kj::str("flush"));
  return commands.releaseAsArray();
}

kj::Array<kj::String> randomWrites(uint count, bool synced) {
  kj::Vector<kj::String> commands;
  uint32_t state = 1;
  for (uint i = 0; i < count; i++) {
    state = state * 1664525 + 1013904223;
    commands.add(kj::str("write -q ", (state >> 8) % BLOCKS * 4, "k 4k"));
    if (synced) commands.add(kj::str("flush"));
  }
  if (!synced) commands.add(kj::str("flush"));
  return commands.releaseAsArray();
}

void measureCreation(kj::Vector<Row>& rows, kj::StringPtr directory) {
  auto io = kj::setupAsyncIo();
  EncryptedVolumeStore store(io.provider->getTimer(), kj::str(directory, "/volumes"));
  auto& row = addRow(rows, "volume: creation, over a file", "ms", 50);
  for (uint i = 0; i < CREATIONS; i++) {
    auto plain = milliseconds([&]() {
      auto path = kj::str(directory, "/plain"), made = kj::str(path, ".new");
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
    auto made = milliseconds(
        [&]() { store.create("made", DISK_BYTES, getuid(), key.clone()).wait(io.waitScope); });
    row.samples.add(kj::max(0.0, made - plain));
    store.destroy("made").wait(io.waitScope);
  }
}

}  // namespace

void measureDisks(kj::Vector<Row>& rows) {
  Directory directory;
  measureCreation(rows, directory.path);

  auto io = kj::setupAsyncIo();
  EncryptedVolumeStore store(io.provider->getTimer(), kj::str(directory.path, "/volumes"));
  Secret key(32);
  fillRandom(key.bytes());
  store.create("disk", DISK_BYTES, getuid(), key.clone()).wait(io.waitScope);
  auto secretFile = kj::str(directory.path, "/key");
  {
    int raw;
    KJ_SYSCALL(raw = open(secretFile.cStr(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    kj::FdOutputStream file((kj::AutoCloseFd(raw)));
    auto digits = hexadecimal(key);
    file.write(digits.bytes().begin(), digits.bytes().size());
  }
  auto plainPath = kj::str(directory.path, "/plain.qcow2");
  hostOutput(
      {"qemu-img"_kj, "create"_kj, "-q"_kj, "-f"_kj, "qcow2"_kj, plainPath, kj::str(DISK_BYTES)});
  Image encrypted{kj::str("driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename=",
                          store.path("disk")),
                  kj::str(secretFile)};
  Image plain{kj::str("driver=qcow2,file.filename=", plainPath), kj::str(secretFile)};

  auto sequential = sequentialWrites();
  auto random = randomWrites(RANDOM_WRITES, false), synced = randomWrites(SYNCED_WRITES, true);
  auto& stream = addRow(rows, "volume: sequential writes", "MiB/s", nullptr, Row::Better::HIGHER);
  auto& scattered = addRow(rows, "volume: random write of 4 KiB", "ms");
  auto& durable = addRow(rows, "volume: 4 KiB write and flush", "ms", 1.10);
  for (uint i = 0; i < ROUNDS; i++) {
    stream.floor.add(SEQUENTIAL_MIB * 1000 / plain.millis(sequential));
    stream.samples.add(SEQUENTIAL_MIB * 1000 / encrypted.millis(sequential));
    scattered.floor.add(plain.millis(random) / RANDOM_WRITES);
    scattered.samples.add(encrypted.millis(random) / RANDOM_WRITES);
    durable.floor.add(plain.millis(synced) / SYNCED_WRITES);
    durable.samples.add(encrypted.millis(synced) / SYNCED_WRITES);
  }
}

}  // namespace bothy
