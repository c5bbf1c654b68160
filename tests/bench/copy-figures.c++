#include "bench/copy-figures.h"

#include <errno.h>
#include <kj/debug.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/process-usage.h"
#include "schema/limits.capnp.h"
#include "support/command-line.h"
#include "support/host-program.h"

namespace bothy {
namespace {

constexpr uint TRANSFERS = 9;
constexpr uint64_t MEBIBYTES = 128;
constexpr uint64_t BYTES = MEBIBYTES * 1024 * 1024;
constexpr uint SMALL_FILES = 100;
constexpr size_t SMALL_BYTES = 1024;

double perSecond(double millis) {
  return MEBIBYTES * 1000 / millis;
}

// Bytes to the guest, a whole number of `chunk`s: `mode` says what becomes of them there, see vsock-peer.c.
void sendRaw(TestWorkspace& workspace, GuestPeer& peer, char mode,
             kj::ArrayPtr<const kj::byte> chunk, uint64_t bytes) {
  auto& scope = workspace.host.scope;
  auto stream = peer.dial(mode);
  uint64_t count = bytes;
  stream->write(&count, sizeof(count)).wait(scope);
  for (uint64_t sent = 0; sent < bytes; sent += chunk.size()) {
    stream->write(chunk.begin(), chunk.size()).wait(scope);
  }
  count = 0;
  workspace.host.wait(stream->read(&count, sizeof(count)), "the peer's count");
  KJ_REQUIRE(count == bytes);
}

// Bytes of the guest that are thrown away here: `mode` says where they come from.
void receiveRaw(TestWorkspace& workspace, GuestPeer& peer, char mode, kj::ArrayPtr<kj::byte> chunk,
                uint64_t bytes) {
  auto stream = peer.dial(mode);
  uint64_t count = bytes;
  stream->write(&count, sizeof(count)).wait(workspace.host.scope);
  for (uint64_t got = 0; got < bytes;) {
    got += workspace.host.wait(stream->tryRead(chunk.begin(), 1, chunk.size()), "the peer's bytes");
  }
  // Its file is gone by then.
  auto more = workspace.host.wait(stream->tryRead(chunk.begin(), 1, 1), "the peer's end");
  KJ_REQUIRE(more == 0);
}

// Memory of this host, so that its disk does not count.
class LocalFile final {
public:
  LocalFile() { KJ_ASSERT(mkdtemp(directory) != nullptr, strerror(errno)); }
  ~LocalFile() noexcept(false) { hostOutput({"/bin/rm"_kj, "-r"_kj, directory}); }
  KJ_DISALLOW_COPY_AND_MOVE(LocalFile);

  kj::String path(kj::StringPtr name) { return kj::str(directory, "/", name); }

private:
  char directory[32] = "/dev/shm/bothy-bench-XXXXXX";
};

// One small file after the other, each on the disk before the next: as an editor saves.
void measureSmallFiles(kj::Vector<Row>& rows, TestWorkspace& workspace, GuestPeer& peer) {
  auto& row = addRow(rows, "small file in, of the one with the disk", "ms", nullptr);
  kj::byte chunk[SMALL_BYTES] = {};
  auto files = workspace.files("root");
  for (uint i = 0; i < SMALL_FILES; ++i) {
    row.floor.add(milliseconds([&]() { sendRaw(workspace, peer, 'W', chunk, SMALL_BYTES); }));
    row.samples.add(milliseconds([&]() {
      auto request = files.writeRequest();
      request.setPath("/var/tmp/small"_kj.asBytes());
      auto sink = request.send().getSink();
      auto writing = sink.writeRequest();
      writing.setData(kj::arrayPtr(chunk, sizeof(chunk)));
      auto written = writing.send();
      auto ended = sink.endRequest().send().ignoreResult();
      workspace.host.wait(written.then([&]() { return kj::mv(ended); }), "the end of the file");
    }));
  }
}

}  // namespace

void measureCopies(kj::Vector<Row>& rows, TestWorkspace& workspace, GuestPeer& peer) {
  // Where a file of the guest's is, and what its copies are measured against: see vsock-peer.c.
  struct Floor {
    char modeIn, modeOut;
    Row &in, &out;
  };
  struct Place {
    kj::StringPtr path;
    kj::Array<Floor> floors;
  };
  auto add = [&](kj::StringPtr name, kj::Maybe<double> goal) -> Row& {
    return addRow(rows, name, "MiB/s", goal, Row::Better::HIGHER);
  };
  auto& in = add("file in, of the raw stream", 0.7);
  auto& out = add("file out, of the raw stream", 0.6);
  auto& memoryIn = add("file in, of the one with a file", nullptr);
  auto& memoryOut = add("file out, of the one with a file", nullptr);
  auto& diskIn = add("file in, of the one with the disk", nullptr);
  auto& diskOut = add("file out, of the one with the disk", nullptr);
  const Place places[] = {
      {"/dev/shm/bench",
       kj::heapArray<Floor>({{'w', 'r', in, out}, {'m', 'M', memoryIn, memoryOut}})},
      {"/var/tmp/bench", kj::heapArray<Floor>({{'W', 'R', diskIn, diskOut}})}};
  auto& cpu = addRow(rows, "bothyd CPU, 100 MiB of a copy", "ms", 10);
  auto& wakeUps = addRow(rows, "bothyd wake-ups, 100 MiB of a copy", "", 50);
  auto chunk = kj::heapArray<kj::byte>(rpc::PREFERRED_CHUNK_BYTES);
  memset(chunk.begin(), 'b', chunk.size());
  LocalFile local;
  auto from = local.path("from"), to = local.path("to");
  hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("head -c ", BYTES, " /dev/urandom > ", from)});
  CommandLine bothy(workspace.host);
  auto copy = [&](kj::StringPtr source, kj::StringPtr target) {
    auto before = ProcessUsage::of(workspace.host.pid());
    auto took = milliseconds([&]() {
      auto done = bothy.run({"cp"_kj, source, target});
      KJ_REQUIRE(done.status == 0, done.err);
    });
    auto after = ProcessUsage::of(workspace.host.pid());
    cpu.samples.add((after.cpuMillis - before.cpuMillis) * 100 / MEBIBYTES);
    wakeUps.samples.add(static_cast<double>(after.wakeUps - before.wakeUps) * 100 / MEBIBYTES);
    return perSecond(took);
  };
  auto raw = [&](auto&& transfer, char mode) {
    return perSecond(milliseconds([&]() { transfer(workspace, peer, mode, chunk, BYTES); }));
  };
  for (uint i = 0; i < TRANSFERS; ++i) {
    for (auto& place : places) {
      auto there = kj::str(workspace.name, ":", place.path);
      // The file of a floor is gone before the copy comes: the memory takes no two.
      for (auto& floor : place.floors) {
        floor.in.floor.add(raw(sendRaw, floor.modeIn));
        floor.out.floor.add(raw(receiveRaw, floor.modeOut));
      }
      auto copiedIn = copy(from, there), copiedOut = copy(there, to);
      for (auto& floor : place.floors) {
        floor.in.samples.add(copiedIn);
        floor.out.samples.add(copiedOut);
      }
      // Two copies, the old and the new, are more than the machine's memory takes; and the local one is no one's to free in the
      // time of the next.
      workspace.shell(kj::str("rm ", place.path));
      KJ_SYSCALL(unlink(to.cStr()));
    }
  }
  measureSmallFiles(rows, workspace, peer);
}

}  // namespace bothy
