#include "control/lane-keeper.h"

#include <kj/debug.h>
#include <sys/socket.h>

#include "control/socket-peer.h"

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;

// The device closes all its lanes at once, but they are heard of one after the other.
constexpr kj::Duration REASON_PAUSE = 50 * kj::MILLISECONDS;

}  // namespace

class LaneKeeper::Facet final: public rpc::Lane::Server {
public:
  Facet(LaneKeeper& keeper, AgentLink::OpenedLane lane, kj::Own<Machine> machineParam,
        Terms termsParam)
      : keeper(keeper),
        number(lane.number),
        machine(kj::mv(machineParam)),
        terms(kj::mv(termsParam)),
        fd(SharedFd::duplicateOf(KJ_REQUIRE_NONNULL(lane.stream->getFd(), "a lane is no socket"))),
        entry(kj::heap<DescriptorTable::Entry>(keeper.descriptors, fd.get())),
        descriptor(entry->number),
        // Hang-ups are told whatever is asked for; that the client writes is none of ours, and would wake us.
        hangUp(kj::heap<FdObserver>(keeper.port, fd.get(), 0)),
        ended(untilEnded().fork()) {
    // The reader's own setting, which it sets as it likes.
    const int oneByte = 1;
    KJ_SYSCALL(setsockopt(fd.get(), SOL_SOCKET, SO_RCVLOWAT, &oneByte, sizeof(oneByte)));
    KJ_LOG(INFO, "a lane begins", terms.workspace, number, terms.purpose, terms.client.number,
           terms.client.pid, terms.client.uid);
    following = ended.addBranch().ignoreResult().eagerlyEvaluate(nullptr);
  }

  ~Facet() noexcept(false) {
    following = nullptr;
    ended = nullptr;
    if (!isOver) {
      KJ_LOG(INFO, "a lane ends with its client", terms.workspace, number);
      close();
    }
  }

  kj::Maybe<int> getFd() override { return descriptor; }

  kj::Promise<void> whenEnded(WhenEndedContext context) override {
    auto reason = co_await ended.addBranch();
    context.getResults().setReason(reason);
  }

private:
  LaneKeeper& keeper;
  const uint64_t number;
  kj::Own<Machine> machine;
  Terms terms;
  SharedFd fd;
  kj::Own<DescriptorTable::Entry> entry;
  const int descriptor;
  kj::Own<FdObserver> hangUp;
  bool isOver = false;
  kj::ForkedPromise<rpc::LaneEnd> ended;
  kj::Promise<void> following = nullptr;

  kj::Promise<rpc::LaneEnd> untilEnded() {
    auto gone = hangUp->whenWriteDisconnected().then([this]() { return reason(); });
    kj::Promise<rpc::LaneEnd> expired = kj::NEVER_DONE;
    KJ_IF_MAYBE (lifetime, terms.lifetime) {
      expired = keeper.timer.afterDelay(*lifetime).then([]() { return rpc::LaneEnd::EXPIRED; });
    }
    // A machine that stands still answers nobody, and whoever waits for it wants to know.
    auto stalled = machine->onStall().then(
        []() -> kj::Promise<rpc::LaneEnd> { return rpc::LaneEnd::STALLED; },
        [](kj::Exception&&) -> kj::Promise<rpc::LaneEnd> { return kj::NEVER_DONE; });
    auto why = co_await gone.exclusiveJoin(kj::mv(expired)).exclusiveJoin(kj::mv(stalled));
    isOver = true;
    KJ_LOG(INFO, "a lane ends", terms.workspace, number, why);
    close();
    co_return why;
  }

  void close() {
    hangUp = nullptr;
    // An answer that still waits to be written must not find what has the descriptor's number next.
    entry = nullptr;
    // Who holds a lane that has ended holds its place too.
    auto place = terms.place.map([](kj::Own<Place>& place) { return kj::addRef(*place); });
    keeper.ending.add(keeper.close(kj::mv(fd), number, kj::addRef(*machine), kj::mv(place)));
  }

  kj::Promise<rpc::LaneEnd> reason() {
    co_await keeper.timer.afterDelay(REASON_PAUSE);
    if (machine->isRetired()) co_return rpc::LaneEnd::STOPPED;
    if (machine->isStalled()) co_return rpc::LaneEnd::STALLED;
    co_return machine->isLinked() ? rpc::LaneEnd::AGENT_GONE : rpc::LaneEnd::DEVICE_REPLACED;
  }
};

LaneKeeper::~LaneKeeper() noexcept(false) {}

LaneKeeper::Place::Place(LaneKeeper& keeper, uint64_t client) : keeper(keeper), client(client) {
  ++keeper.held.findOrCreate(client, [&]() { return decltype(keeper.held)::Entry{client, 0}; });
}

LaneKeeper::Place::~Place() noexcept(false) {
  auto& count = KJ_ASSERT_NONNULL(keeper.held.find(client));
  if (--count == 0) keeper.held.erase(client);
}

kj::Own<LaneKeeper::Place> LaneKeeper::requireRoom(const ClientIdentity& client) {
  if (held.find(client.number).orDefault(0) < MAX_HELD_LANES) {
    return kj::refcounted<Place>(*this, client.number);
  }
  kj::throwFatalException(KJ_EXCEPTION(
      OVERLOADED, kj::str("this client holds ", MAX_HELD_LANES,
                          " lanes: it has to drop some, those that have ended among them")));
}

rpc::Lane::Client LaneKeeper::keep(AgentLink::OpenedLane lane, kj::Own<Machine> machine,
                                   Terms terms) {
  return kj::heap<Facet>(*this, kj::mv(lane), kj::mv(machine), kj::mv(terms));
}

// A client has the socket too, and may have made its close last for ever: that is left to a SharedFd.
//
// The descriptor stays open meanwhile: vhost-device-vsock 0.3.0 misses the end of one that is closed with bytes unread.
kj::Promise<void> LaneKeeper::close(SharedFd fd, uint64_t lane, kj::Own<Machine> machine,
                                    kj::Maybe<kj::Own<Place>> place) {
  shutdown(fd.get(), SHUT_RDWR);
  auto ending = machine->endLane(lane);
  co_await timer.timeoutAfter(LANE_END_LIMIT, kj::mv(ending)).catch_([](kj::Exception&&) {});
  // The device hears of a shutdown when it reads, and it reads nothing for a guest that does not; and not every guest
  // obeys.
  while (hasPeer(fd.get()) && !machine->isRetired() && !machine->isStalled()) {
    machine->renewVsock();
    co_await timer.afterDelay(LANE_END_LIMIT);
  }
}

void LaneKeeper::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a lane was not ended", exception.getDescription());
}

}  // namespace bothy
