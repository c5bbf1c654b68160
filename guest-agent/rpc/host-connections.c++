#include "rpc/host-connections.h"

#include <kj/debug.h>

#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

// Of whoever has a lane.  A client that reads nothing is not read either, with so much on its way to it.
constexpr size_t CLIENT_QUEUE_BYTES = 4 * 1024 * 1024;
// An answer that is waited for or kept takes some 5 KiB here: as many as programs may run, and some beside.
constexpr kj::uint CLIENT_ANSWERS = rpc::MAX_PROCESSES + 64;
constexpr kj::uint CLIENT_EXPORTS = 4 * 1024;
constexpr GuardRules CLIENT_RULES = {GuardRules::Peer::ASKS, rpc::MAX_MESSAGE_WORDS,
                                     CLIENT_QUEUE_BYTES, CLIENT_ANSWERS, CLIENT_EXPORTS};

kj::Own<capnp::MallocMessageBuilder> welcome() {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  message->initRoot<rpc::Welcome>().setGeneration(rpc::GENERATION);
  return message;
}

kj::Own<capnp::MallocMessageBuilder> refusal(rpc::Refusal why) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto welcome = message->initRoot<rpc::Welcome>();
  welcome.setRefused(why);
  if (why == rpc::Refusal::GENERATION_TOO_OLD) welcome.setOldest(rpc::OLDEST_GENERATION);
  return message;
}

}  // namespace

HostConnections::HostConnections(kj::Timer& timer, const GateKey& key, Rooms& rooms,
                                 kj::Maybe<const kj::MonotonicClock&> clock)
    : timer(timer), key(key), rooms(rooms), clock(clock), registry(timer), connections(*this) {}

HostConnections::~HostConnections() noexcept(false) {}

void HostConnections::add(kj::Own<kj::AsyncIoStream> stream) {
  if (strangers.size() >= MAX_STRANGERS) {
    strangers.front().evict->fulfill();
  }
  connections.add(serveConnection(kj::heap<VsockStream>(kj::mv(stream))));
}

kj::Promise<void> HostConnections::serve(kj::Own<kj::ConnectionReceiver> receiver) {
  for (;;) {
    kj::Maybe<kj::Exception> failure;
    try {
      add(co_await receiver->accept());
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (exception, failure) {
      KJ_LOG(ERROR, "cannot accept a connection", exception->getDescription());
      co_await timer.afterDelay(ACCEPT_RETRY);
    }
  }
}

kj::Promise<void> HostConnections::serveConnection(kj::Own<VsockStream> stream) {
  KJ_IF_MAYBE (why, co_await hear(*stream)) {
    co_await refuse(*stream, *why);
    co_return;
  }
  // A supervisor that ended leaves its spares to whoever closes them; the next one has its own.
  if (spares.size() >= rpc::MAX_SPARE_LANES) spares.front().evict->fulfill();
  auto message = co_await orEvicted(spares, readGreeting(*stream));
  auto parsed = LaneGrant::parse(message->getRoot<rpc::Grant>());
  if (parsed.is<rpc::Refusal>()) {
    co_await refuse(*stream, parsed.get<rpc::Refusal>());
    co_return;
  }
  auto added = registry.add(kj::mv(parsed.get<LaneGrant>()));
  if (added.is<rpc::Refusal>()) {
    co_await refuse(*stream, added.get<rpc::Refusal>());
    co_return;
  }
  auto lane = kj::mv(added.get<kj::Own<LaneRegistry::Entry>>());
  auto bootstrap = newLaneBootstrap(rooms, registry, lane->grant);
  KJ_IF_MAYBE (capability, bootstrap) {
    co_await serveLane(kj::mv(lane), kj::mv(stream), kj::mv(*capability));
  } else {
    lane = nullptr;
    co_await refuse(*stream, rpc::Refusal::NO_SUCH_USER);
  }
}

kj::Promise<kj::Maybe<rpc::Refusal>> HostConnections::hear(VsockStream& stream) {
  auto message =
      co_await orEvicted(strangers, timer.timeoutAfter(HELLO_LIMIT, readGreeting(stream)));
  auto hello = message->getRoot<rpc::Hello>();
  // The secret first: who does not know it learns nothing, not even a generation.
  if (!key.isOpenedBy(hello.getSecret())) co_return rpc::Refusal::WRONG_SECRET;
  if (hello.getGeneration() < rpc::OLDEST_GENERATION) co_return rpc::Refusal::GENERATION_TOO_OLD;
  co_return nullptr;
}

// The stream is closed before the registry tells that the lane has ended.
kj::Promise<void> HostConnections::serveLane(kj::Own<LaneRegistry::Entry> lane,
                                             kj::Own<VsockStream> ownStream,
                                             capnp::Capability::Client bootstrap) {
  auto& stream = *ownStream;
  auto ordered = lane->onOrder().fork();
  co_await timer.timeoutAfter(WELCOME_LIMIT, writeGreeting(stream, welcome()))
      .exclusiveJoin(ordered.addBranch());
  const bool isBulk = lane->grant.purpose == rpc::Purpose::FILES && bulkLanes < MAX_BULK_LANES;
  if (isBulk) {
    ++bulkLanes;
    stream.enlargeBuffer();
  }
  KJ_DEFER(if (isBulk)-- bulkLanes);
  RpcConnection connection(kj::mv(ownStream), kj::mv(bootstrap), timer, CLIENT_RULES, memory,
                           clock);
  stream.slowReads([&guard = connection.requireGuard()](size_t have) {
    guard.notePart(have);
    return guard.untilRoom();
  });
  // The RPC system ends with its last write, which may hang for good when nobody reads it.
  auto closed =
      stream.whenWriteDisconnected().then([this]() { return timer.afterDelay(CLOSED_LINGER); });
  co_await connection.onDisconnect()
      .exclusiveJoin(kj::mv(closed))
      .exclusiveJoin(ordered.addBranch())
      .exclusiveJoin(sendCreditUpdates(stream, connection.requireGuard()));
}

kj::Promise<void> HostConnections::refuse(VsockStream& stream, rpc::Refusal why) {
  co_await timer.timeoutAfter(WELCOME_LIMIT, writeGreeting(stream, refusal(why)));
  co_await stream.whenWriteDisconnected().exclusiveJoin(timer.afterDelay(REFUSAL_LINGER));
}

kj::Promise<void> HostConnections::sendCreditUpdates(VsockStream& stream, MessageGuard& messages) {
  // First of all the Welcome is unread.
  for (;; co_await messages.untilUnread()) {
    const auto received = messages.received();
    for (kj::uint updates = 0;;) {
      const auto sent = messages.sent();
      const bool isEarly = updates < FIRST_CREDIT_UPDATES;
      if (isEarly) {
        co_await timer.afterDelay(FIRST_CREDIT_UPDATE);
      } else {
        co_await timer.afterDelay(LONGEST_CREDIT_UPDATE).exclusiveJoin(messages.untilSent());
      }
      if (messages.received() != received) break;
      // What was sent meanwhile may be unread for no longer than that.
      const bool isNew = messages.sent() != sent;
      updates = isNew ? 0 : updates + 1;
      if (isEarly || !isNew) stream.sendCreditUpdate();
    }
  }
}

template <typename T>
kj::Promise<T> HostConnections::orEvicted(Evictables& list, kj::Promise<T> promise) {
  auto evicted = kj::newPromiseAndFulfiller<void>();
  Evictable self;
  self.evict = kj::mv(evicted.fulfiller);
  list.add(self);
  KJ_DEFER(list.remove(self));
  co_return co_await promise.exclusiveJoin(evicted.promise.then(
      []() -> kj::Promise<T> { return KJ_EXCEPTION(DISCONNECTED, "others came"); }));
}

void HostConnections::taskFailed(kj::Exception&& exception) {
  if (exception.getType() != kj::Exception::Type::DISCONNECTED &&
      exception.getType() != kj::Exception::Type::OVERLOADED) {
    KJ_LOG(ERROR, "a connection failed", exception.getDescription());
  }
}

}  // namespace bothy
