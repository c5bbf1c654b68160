#include "bench/keeper-memory.h"

#include <kj/debug.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/client-connection.h"
#include "control/lane-keeper.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

// The first ones make room for tables.
constexpr uint FIRST_LANES = 100;
constexpr uint MORE_LANES = 300;
// A lane and its far end, and the rest.
constexpr rlim_t FILES = 2 * (FIRST_LANES + MORE_LANES) + 100;

struct SocketPair {
  kj::AutoCloseFd ends[2];

  SocketPair() {
    int fds[2];
    KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
    for (int i = 0; i < 2; i++) ends[i] = kj::AutoCloseFd(fds[i]);
  }
};

// A machine that is not there.
class AbsentVm final: public RunningVm {
public:
  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(uint32_t port) override {
    return KJ_EXCEPTION(DISCONNECTED, "there is no machine");
  }
  kj::Promise<VmEnd> onEnd() override { return kj::NEVER_DONE; }
  kj::Promise<void> destroy() override { return kj::READY_NOW; }
  bool isEnding() override { return false; }
  void renewVsock() override {}
  kj::Promise<void> pause() override { return kj::READY_NOW; }
  kj::Promise<void> resume() override { return kj::READY_NOW; }
  bool isPaused() override { return false; }
  bool keepsStreams() override { return false; }
  kj::Promise<void> limitIo(IoLimits) override { return kj::READY_NOW; }
  kj::Promise<void> save(MemoryFile) override { return kj::READY_NOW; }
  bool isStalled() override { return false; }
  uint32_t user() override { return 1000; }
  kj::Array<kj::byte> consoleEnd() override { return nullptr; }
  uint64_t qemuPid() override { return 0; }
};

// Gives lanes that lead nowhere.  `list` says that all of them have arrived.
class LaneGiver final: public rpc::Supervisor::Server {
public:
  LaneGiver(kj::AsyncIoContext& io, LaneKeeper& keeper, kj::Vector<double>& heapBytes)
      : io(io),
        keeper(keeper),
        heapBytes(heapBytes),
        machine(kj::refcounted<Machine>(io.provider->getTimer(), "absent", kj::heap<AbsentVm>(),
                                        kj::heapArray<const kj::byte>(32), 1)),
        farEnds(kj::heapArray<kj::AutoCloseFd>(FIRST_LANES + MORE_LANES)) {}

  kj::Promise<void> connect(ConnectContext context) override {
    SocketPair pair;
    farEnds[given++] = kj::mv(pair.ends[1]);
    auto stream = io.lowLevelProvider->wrapSocketFd(
        kj::mv(pair.ends[0]), kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                                  kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK);
    LaneGrant grant;
    grant.lane = given;
    context.getResults().setLane(keeper.keep({kj::mv(grant), kj::mv(stream)}, kj::addRef(*machine),
                                             {{1, getpid(), getuid(), getgid()}}));
    return kj::READY_NOW;
  }

  kj::Promise<void> list(ListContext context) override {
    heapBytes.add(static_cast<double>(mallinfo2().uordblks));
    return kj::READY_NOW;
  }

private:
  kj::AsyncIoContext& io;
  LaneKeeper& keeper;
  kj::Vector<double>& heapBytes;
  kj::Own<Machine> machine;
  kj::Array<kj::AutoCloseFd> farEnds;
  uint given = 0;
};

// In a process of its own, so that what the client allocates is not counted.
void holdLanes(kj::AutoCloseFd socket) {
  auto io = kj::setupAsyncIo();
  RpcConnection connection(io.lowLevelProvider->wrapUnixSocketFd(
                               kj::mv(socket), kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                                                   kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK),
                           1);
  auto supervisor = connection.bootstrap().castAs<rpc::Supervisor>();
  kj::Vector<rpc::Lane::Client> lanes;
  for (auto count : {FIRST_LANES, MORE_LANES}) {
    for (uint i = 0; i < count; i++) {
      auto connected = supervisor.connectRequest().send().wait(io.waitScope);
      lanes.add(connected.getLane());
    }
    supervisor.listRequest().send().wait(io.waitScope);
  }
}

}  // namespace

double keeperBytesOfLane() {
  rlimit files;
  KJ_SYSCALL(getrlimit(RLIMIT_NOFILE, &files));
  files.rlim_cur = kj::min(kj::max(files.rlim_cur, FILES), files.rlim_max);
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &files));

  SocketPair pair;
  pid_t client;
  KJ_SYSCALL(client = fork());
  if (client == 0) {
    pair.ends[0] = nullptr;
    auto failure = kj::runCatchingExceptions([&]() { holdLanes(kj::mv(pair.ends[1])); });
    _exit(failure == nullptr ? 0 : 1);
  }
  pair.ends[1] = nullptr;
  kj::Vector<double> heapBytes;
  heapBytes.reserve(2);
  auto io = kj::setupAsyncIo();
  ThreadPeerLooks looks(io.provider->getTimer());
  LaneKeeper keeper(io.provider->getTimer(), looks);
  MessageBudget budget(CLIENTS_LIMITS);
  {
    ClientConnection connection(
        kj::heap<DescriptorFilter>(
            io.lowLevelProvider->wrapUnixSocketFd(
                kj::mv(pair.ends[0]), kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                                          kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK),
            getuid()),
        keeper.descriptors, kj::heap<LaneGiver>(io, keeper, heapBytes), io.provider->getTimer(),
        budget);
    connection.onDisconnect().wait(io.waitScope);
  }
  int status;
  KJ_SYSCALL(waitpid(client, &status, 0));
  KJ_REQUIRE(status == 0 && heapBytes.size() == 2, "the lanes' client failed", status);
  return (heapBytes[1] - heapBytes[0]) / MORE_LANES;
}

}  // namespace bothy
