#include "file-worker/worker-socket.h"

#include <capnp/serialize.h>
#include <errno.h>
#include <kj/debug.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "schema/file-worker.capnp.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

TEST_CASE("S42 a worker sends the agent no descriptors, nor anything else over the socket") {
  auto sockets = openWorkerSocket();
  capnp::MallocMessageBuilder message;
  message.initRoot<rpc::WorkerReport>().setLane(1);
  CHECK(sendPacket(sockets.worker, message, STDIN_FILENO) == EPIPE);
  CHECK(sendPacket(sockets.worker, message) == EPIPE);
  // Lanes come all the same.
  CHECK(sendPacket(sockets.agent, message, STDIN_FILENO) == 0);
  auto packet = KJ_REQUIRE_NONNULL(receivePacket(sockets.worker));
  CHECK(packet.descriptor.get() >= 0);
}

TEST_CASE("reports come one by one, and then the end") {
  auto pipe = openReportPipe();
  CHECK(receiveReport(pipe.agent) == nullptr);
  capnp::MallocMessageBuilder message;
  auto report = message.initRoot<rpc::WorkerReport>();
  report.setBreach(kj::str(kj::repeat('x', MAX_BREACH_BYTES)));
  for (uint64_t i = 0; i < 2 * rpc::MAX_LANES; i++) {
    report.setLane(i);
    REQUIRE(sendReport(pipe.worker, message) == 0);
  }
  CHECK(sendReport(pipe.worker, message) == EAGAIN);
  for (uint64_t i = 0; i < 2 * rpc::MAX_LANES; i++) {
    auto words = KJ_REQUIRE_NONNULL(receiveReport(pipe.agent));
    capnp::FlatArrayMessageReader reader(words);
    CHECK(reader.getRoot<rpc::WorkerReport>().getLane() == i);
  }
  pipe.worker = nullptr;
  CHECK(KJ_REQUIRE_NONNULL(receiveReport(pipe.agent)).size() == 0);
}

TEST_CASE("S42 receipts are taken without waiting, whatever flags their counter has") {
  int raw;
  KJ_SYSCALL(raw = eventfd(0, EFD_CLOEXEC));  // waits
  kj::AutoCloseFd counter(raw);
  CHECK(takeReceipts(counter) == 0);
  const uint64_t two = 2;
  KJ_SYSCALL(write(counter, &two, sizeof(two)));
  CHECK(takeReceipts(counter) == 2);
  CHECK(takeReceipts(counter) == 0);
}

}  // namespace
}  // namespace bothy
