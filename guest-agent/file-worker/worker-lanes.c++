#include "file-worker/worker-lanes.h"

#include <capnp/serialize.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <unistd.h>

#include "file-worker/worker-heap.h"
#include "files/files-facet.h"
#include "rpc/granted-files.h"
#include "wire/socket-stream.h"

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;

void setCounts(const FileCounts& counts, rpc::WorkerReport::Counts::Builder builder) {
  builder.setFilesRead(counts.filesRead);
  builder.setFilesWritten(counts.filesWritten);
  builder.setBytesRead(counts.bytesRead);
  builder.setBytesWritten(counts.bytesWritten);
  builder.setChanges(counts.changes);
}

}  // namespace

WorkerLanes::WorkerLanes(Programs& programs)
    : programs(programs),
      root(openRoot("/")),
      disk(programs.eventPort),
      server(programs.timer, memory, kj::systemPreciseMonotonicClock()),
      serving(*this) {}

WorkerLanes::~WorkerLanes() noexcept(false) {}

kj::Promise<void> WorkerLanes::receive(int agent, int receipts, int reports) {
  FdObserver observer(programs.eventPort, agent, FdObserver::OBSERVE_READ);
  for (;;) {
    auto received = receivePacket(agent);
    KJ_IF_MAYBE (packet, received) {
      if (packet->words.size() == 0) co_return;
      // Before anything of it may hang.
      const uint64_t one = 1;
      KJ_SYSCALL(write(receipts, &one, sizeof(one)));
      serving.add(serve(reports, kj::mv(packet->words), kj::mv(packet->descriptor)));
    } else {
      co_await observer.whenBecomesReadable();
    }
  }
}

kj::Promise<void> WorkerLanes::serve(int reports, kj::Array<capnp::word> words,
                                     kj::AutoCloseFd socket) {
  capnp::FlatArrayMessageReader message(words);
  auto lane = message.getRoot<rpc::HandedLane>();
  ++count;
  auto counters = kj::refcounted<FileCounters>();
  kj::Maybe<kj::String> breach;
  try {
    breach = co_await serveFiles(lane, kj::mv(socket), *counters);
  } catch (...) {
    // No descriptor is left, or the Welcome did not leave: that ends the lane as well.
    KJ_LOG(WARNING, "a lane is not served", kj::getCaughtExceptionAsKj());
  }
  capnp::MallocMessageBuilder told;
  auto report = told.initRoot<rpc::WorkerReport>();
  report.setLane(lane.getNumber());
  KJ_IF_MAYBE (why, breach) {
    report.setBreach(kj::str(why->slice(0, kj::min(why->size(), MAX_BREACH_BYTES))));
  }
  setCounts(*counters, report.initCounts());
  // What cannot be sent is of an agent that has gone, as the next that is received says, or that leaves too much unread (EAGAIN): it goes on
  // without.
  sendReport(reports, told);
  if (--count == 0) trimHeap();
}

kj::Promise<kj::Maybe<kj::String>> WorkerLanes::serveFiles(rpc::HandedLane::Reader lane,
                                                           kj::AutoCloseFd socket,
                                                           FileCounters& counters) {
  auto parsed = LaneGrant::parse(lane.getGrant());
  auto grant = kj::mv(KJ_REQUIRE_NONNULL(parsed.tryGet<LaneGrant>(), "not what was parsed before"));
  auto stream = kj::heap<VsockStream>(kj::heap<SocketStream>(programs.eventPort, kj::mv(socket)));
  // The one place where a lane gets its "/": everything that it names is opened beneath that (WorkspaceRoot).
  kj::Maybe<WorkspaceRoot> directory;
  if (grant.isBeneath()) {
    auto opened = openBeneath(grant.beneath);
    KJ_IF_MAYBE (fd, opened) {
      directory.emplace(kj::mv(*fd));
    } else {
      co_await server.refuse(kj::mv(stream), rpc::Refusal::NO_SUCH_DIRECTORY);
      co_return nullptr;
    }
  }
  const WorkspaceRoot* place = &root;
  KJ_IF_MAYBE (own, directory) place = own;
  const kj::StringPtr home = grant.isBeneath() ? "/"_kj : kj::StringPtr(lane.getHome());
  capnp::Capability::Client files = newGrantedFiles(
      newFilesFacet(programs, *place, home, limits, counters.addRef()), grant.verbs);
  auto closed = kj::newPromiseAndFulfiller<kj::Maybe<kj::String>>();
  co_return co_await server
      .serve(kj::mv(stream), kj::mv(files), {lane.getGeneration(), grant.actor, lane.getBulk()},
             [&]() { closed.fulfiller->fulfill(nullptr); })
      .exclusiveJoin(kj::mv(closed.promise));
}

kj::Maybe<kj::AutoCloseFd> WorkerLanes::openBeneath(kj::ArrayPtr<const kj::byte> path) const {
  auto parsed = FilePath::parse(path);
  KJ_IF_MAYBE (at, parsed.tryGet<FilePath>()) {
    auto opened = root.open(*at, O_PATH | O_DIRECTORY);
    KJ_IF_MAYBE (fd, opened.tryGet<kj::AutoCloseFd>()) return kj::mv(*fd);
  }
  return nullptr;
}

void WorkerLanes::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a lane failed", exception);
}

}  // namespace bothy
