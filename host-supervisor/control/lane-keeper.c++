#include "control/lane-keeper.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <sys/socket.h>

namespace bothy {
namespace {

// The device closes all its lanes at once, but they are heard of one after the other.
constexpr kj::Duration REASON_PAUSE = 50 * kj::MILLISECONDS;
// How long it may take to be told that the device of a machine that goes on is replaced, when all lanes break.  Longer than the driver
// waits for QEMU to end with its device, and shorter than clients wait for the reason (Reconnection::REASON_LIMIT).
constexpr kj::Duration CAUSE_LIMIT = 1500 * kj::MILLISECONDS;
// How long an agent has to hear of a shutdown by itself, and of what the client wrote before it.  Most do, and an order would overtake that.
constexpr kj::Duration HEAR_PAUSE = 300 * kj::MILLISECONDS;
// How often it is looked whether a lane is closed: twice as long after each time, within these bounds; of many lanes each more seldom, for a
// look has its price (see peerOf()).
constexpr kj::Duration LEAST_LOOK_PAUSE = 10 * kj::MILLISECONDS;
constexpr kj::Duration MOST_LOOK_PAUSE = 1 * kj::SECONDS;
constexpr kj::Duration LOOK_SHARE = 1 * kj::MILLISECONDS;

// These settings belong to the socket, not to one descriptor of it.  The client gets them as supervisor.capnp promises, whatever the dial
// has left.
void prepareForClient(int socket) {
  const int oneByte = 1;
  KJ_SYSCALL(setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &oneByte, sizeof(oneByte)));
  int flags;
  KJ_SYSCALL(flags = fcntl(socket, F_GETFL));
  KJ_SYSCALL(fcntl(socket, F_SETFL, flags | O_NONBLOCK));
}

}  // namespace

class LaneKeeper::Facet final: public rpc::Lane::Server, public HangUpWatch::Listener {
public:
  Facet(LaneKeeper& keeper, AgentLink::OpenedLane lane, kj::Own<MachineLanes> siblings, Terms terms,
        kj::Maybe<Withdrawal> withdrawal);
  ~Facet() noexcept(false);

  kj::Maybe<int> getFd() override { return descriptor; }

  kj::Promise<void> whenEnded(WhenEndedContext context) override {
    if (reason == nullptr) {
      if (awaited == nullptr) {
        auto paf = kj::newPromiseAndFulfiller<void>();
        awaited = kj::heap(Awaited{kj::mv(paf.fulfiller), paf.promise.fork()});
      }
      co_await KJ_ASSERT_NONNULL(awaited)->end.addBranch();
    }
    context.getResults().setReason(KJ_ASSERT_NONNULL(reason));
  }

  void end(rpc::LaneEnd why);

  kj::ListLink<Facet> link;

private:
  struct Awaited {
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
    kj::ForkedPromise<void> end;
  };

  LaneKeeper& keeper;
  const uint64_t number;
  kj::Own<MachineLanes> siblings;
  const kj::uint lossesBefore;
  Terms terms;
  SharedFd fd;
  kj::Maybe<DescriptorTable::Entry> entry;
  const int descriptor;
  kj::Maybe<HangUpWatch::Entry> hangUp;
  kj::Maybe<rpc::LaneEnd> reason;  // none: it is open
  FarEnd farEnd = FarEnd::OPEN;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> givenBack;  // of one that has ended
  kj::Maybe<kj::Own<Awaited>> awaited;
  // Each takes a KiB: none is made for a lane that is just open.
  kj::Promise<void> expiry = nullptr;   // or withdrawal
  kj::Promise<void> finding = nullptr;  // why it broke

  void onHangUp() override;
  void logEnd(rpc::LaneEnd why) const;
  void close(kj::Promise<void> givenBack);
};

// The open lanes of one machine.
class LaneKeeper::MachineLanes final: public kj::Refcounted {
public:
  MachineLanes(LaneKeeper& keeper, kj::Own<Machine> machineParam)
      : machine(kj::mv(machineParam)),
        keeper(keeper),
        following(followHalts().eagerlyEvaluate([](kj::Exception&& e) {
          // The machine is gone.
          if (e.getType() == kj::Exception::Type::DISCONNECTED) return;
          KJ_LOG(ERROR, "it is not told any more when a machine stands still", e.getDescription());
        })) {
    keeper.machines.insert(machine.get(), this);
  }
  ~MachineLanes() noexcept(false) { keeper.machines.erase(machine.get()); }

  kj::Own<Machine> machine;
  kj::List<Facet, &Facet::link> lanes;

  // Why a lane broke that was opened when the machine had lost its vsock device `lossesBefore` times.
  kj::Promise<rpc::LaneEnd> whyGone(kj::uint lossesBefore) {
    const auto begin = keeper.timer.now();
    for (;;) {
      co_await keeper.timer.afterDelay(REASON_PAUSE);
      if (machine->isEnding()) co_return rpc::LaneEnd::STOPPED;
      if (machine->isPaused()) co_return rpc::LaneEnd::PAUSED;
      if (machine->isStalled()) co_return rpc::LaneEnd::STALLED;
      if (machine->vsockLosses() != lossesBefore) co_return rpc::LaneEnd::DEVICE_REPLACED;
      if (machine->isLinked()) co_return rpc::LaneEnd::AGENT_GONE;
      if (keeper.timer.now() - begin >= CAUSE_LIMIT) co_return rpc::LaneEnd::AGENT_GONE;
    }
  }

private:
  LaneKeeper& keeper;
  kj::Promise<void> following;

  // A machine that stands still answers nobody, and whoever waits for it wants to know.
  kj::Promise<void> followHalts() {
    for (;;) {
      const auto why = co_await machine->onHalt() == Machine::Halt::PAUSE ? rpc::LaneEnd::PAUSED
                                                                          : rpc::LaneEnd::STALLED;
      while (!lanes.empty()) lanes.front().end(why);
    }
  }
};

LaneKeeper::Facet::Facet(LaneKeeper& keeper, AgentLink::OpenedLane lane,
                         kj::Own<MachineLanes> siblingsParam, Terms termsParam,
                         kj::Maybe<Withdrawal> withdrawal)
    : keeper(keeper),
      number(lane.grant.lane),
      siblings(kj::mv(siblingsParam)),
      lossesBefore(siblings->machine->vsockLosses()),
      terms(kj::mv(termsParam)),
      fd(SharedFd::duplicateOf(KJ_REQUIRE_NONNULL(lane.stream->getFd(), "a lane is no socket"),
                               siblings->machine->user())),
      descriptor(entry.emplace(keeper.descriptors, fd).number) {
  prepareForClient(fd.get());
  keeper.log.begin(siblings->machine->workspaceName(), lane.grant, terms.client);
  KJ_IF_MAYBE (lifetime, lane.grant.lifetime) {
    Withdrawal over =
        keeper.timer.afterDelay(*lifetime).then([]() { return rpc::LaneEnd::EXPIRED; });
    withdrawal = withdrawal == nullptr ? kj::mv(over)
                                       : KJ_ASSERT_NONNULL(withdrawal).exclusiveJoin(kj::mv(over));
  }
  KJ_IF_MAYBE (due, withdrawal) {
    expiry =
        due->then([this](rpc::LaneEnd why) { end(why); }).eagerlyEvaluate([](kj::Exception&& e) {
          KJ_LOG(ERROR, "a lane will not end when it should", e.getDescription());
        });
  }
  hangUp.emplace(keeper.hangUps, fd.get(), *this);
  siblings->lanes.add(*this);
}

LaneKeeper::Facet::~Facet() noexcept(false) {
  if (reason == nullptr) {
    logEnd(rpc::LaneEnd::CLOSED);
    close(kj::READY_NOW);
  }
  KJ_IF_MAYBE (fulfiller, givenBack) (*fulfiller)->fulfill();
}

void LaneKeeper::Facet::onHangUp() {
  farEnd = FarEnd::HUNG_UP;
  finding = siblings->whyGone(lossesBefore)
                .then([this](rpc::LaneEnd why) { end(why); })
                .eagerlyEvaluate(nullptr);
}

void LaneKeeper::Facet::end(rpc::LaneEnd why) {
  if (reason != nullptr) return;
  reason = why;
  logEnd(why);
  // It is what calls this.
  if (why != rpc::LaneEnd::EXPIRED && why != rpc::LaneEnd::REVOKED) expiry = nullptr;
  auto paf = kj::newPromiseAndFulfiller<void>();
  givenBack = kj::mv(paf.fulfiller);
  close(kj::mv(paf.promise));
  KJ_IF_MAYBE (a, awaited) (*a)->fulfiller->fulfill();
}

void LaneKeeper::Facet::logEnd(rpc::LaneEnd why) const {
  keeper.log.end(siblings->machine->workspaceName(), number, why, terms.client);
}

void LaneKeeper::Facet::close(kj::Promise<void> givenBack) {
  siblings->lanes.remove(*this);
  terms.presence = nullptr;
  hangUp = nullptr;
  // An answer that still waits to be written must not find what has the descriptor's number next.
  entry = nullptr;
  // Who holds a lane that has ended holds its place too.
  auto place = terms.place.map([](kj::Own<Place>& place) { return kj::addRef(*place); });
  keeper.ending.add(keeper.close(kj::mv(fd), number, kj::addRef(*siblings->machine), kj::mv(place),
                                 farEnd, kj::mv(givenBack)));
}

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
                                   Terms terms, kj::Maybe<Withdrawal> withdrawal) {
  return kj::heap<Facet>(*this, kj::mv(lane), lanesOf(kj::mv(machine)), kj::mv(terms),
                         kj::mv(withdrawal));
}

kj::Own<LaneKeeper::MachineLanes> LaneKeeper::lanesOf(kj::Own<Machine> machine) {
  KJ_IF_MAYBE (known, machines.find(machine.get())) return kj::addRef(**known);
  return kj::refcounted<MachineLanes>(*this, kj::mv(machine));
}

// A client has the socket too, and may have made its close last for ever: that is left to a SharedFd.
//
// The descriptor stays open meanwhile: vhost-device-vsock 0.3.0 misses the end of one that is closed with bytes unread.
kj::Promise<void> LaneKeeper::close(SharedFd fd, uint64_t lane, kj::Own<Machine> machine,
                                    kj::Maybe<kj::Own<Place>> place, FarEnd farEnd,
                                    kj::Promise<void> givenBack) {
  ++closing;
  KJ_DEFER(--closing);
  // What the agent said before it hung up is still its client's, and a vsock gives nothing more once its reading is shut down.
  shutdown(fd.get(), farEnd == FarEnd::HUNG_UP ? SHUT_WR : SHUT_RDWR);
  const auto begin = timer.now();
  auto isMachineGone = [&]() {
    return machine->isEnding() || machine->isStalled() || machine->isPaused();
  };
  auto pause = LEAST_LOOK_PAUSE;
  auto look = [&](kj::Duration most) {
    auto wait = timer.afterDelay(kj::min(most, kj::max(pause, closing * LOOK_SHARE)));
    pause = kj::min(2 * pause, MOST_LOOK_PAUSE);
    return wait;
  };
  while (timer.now() - begin < HEAR_PAUSE) {
    // An order is not put off by a look that takes long.
    auto tooLate = timer.atTime(begin + HEAR_PAUSE).then([]() { return SocketPeer::UNASKED; });
    const auto heard = co_await looks.peerOf(fd.get()).exclusiveJoin(kj::mv(tooLate));
    if (heard == SocketPeer::CLOSED || isMachineGone()) co_return;
    co_await look(HEAR_PAUSE);
  }
  // The device hears of a shutdown when it reads, and it reads nothing for a guest that does not.  Whether the agent answers, or can be
  // asked at all, says nothing of a lane that can be looked at.
  auto asked = machine->endLane(lane);
  const auto askedAt = timer.now();
  auto peer = co_await looks.peerOf(fd.get());
  while (peer == SocketPeer::UNASKED && !isMachineGone()) {
    co_await look(MOST_LOOK_PAUSE);
    peer = co_await looks.peerOf(fd.get());
  }
  if (peer == SocketPeer::UNTELLABLE) {
    co_await timer.timeoutAfter(LANE_END_LIMIT, kj::mv(asked)).catch_([](kj::Exception&&) {});
    // A client that reads has read by then, and one that gave the lane back reads no more; and an agent that has not closed it writes to
    // nobody.
    bool isGivenBack = farEnd == FarEnd::OPEN;
    auto giving = givenBack.then([&isGivenBack]() { isGivenBack = true; }).fork();
    while (!isGivenBack && timer.now() - begin < LANE_END_LIMIT) {
      // What has come stays the client's, whose descriptor of it is its own.
      if (isMachineGone()) co_return;
      co_await look(MOST_LOOK_PAUSE).exclusiveJoin(giving.addBranch());
    }
    shutdown(fd.get(), SHUT_RDWR);
    co_return;
  }
  // A Unix socket gives what has come all the same.
  shutdown(fd.get(), SHUT_RDWR);
  auto deadline = askedAt + LANE_END_LIMIT;
  while (peer != SocketPeer::CLOSED && !isMachineGone()) {
    const auto now = timer.now();
    // Not where it could only not be asked: it may be closed.
    if (now >= deadline && peer == SocketPeer::OPEN) {
      machine->renewVsock();
      deadline = now + LANE_END_LIMIT;
    }
    co_await look(deadline > now ? deadline - now : MOST_LOOK_PAUSE);
    peer = co_await looks.peerOf(fd.get());
  }
}

void LaneKeeper::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a lane was not ended", exception.getDescription());
}

}  // namespace bothy
