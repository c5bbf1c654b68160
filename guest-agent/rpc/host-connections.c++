#include "rpc/host-connections.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {

HostConnections::HostConnections(kj::Timer& timer, const GateKey& key, rpc::Agent::Client agent)
    : timer(timer), key(key), agent(kj::mv(agent)), lanes(*this) {}

HostConnections::~HostConnections() noexcept(false) {}

void HostConnections::add(kj::Own<kj::AsyncIoStream> stream) {
  if (strangers.size() >= MAX_STRANGERS) {
    strangers.front().evict->fulfill();
  }
  lanes.add(serveLane(kj::heap<VsockStream>(kj::mv(stream))));
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

kj::Promise<void> HostConnections::serveLane(kj::Own<VsockStream> stream) {
  auto& raw = *stream;
  auto paf = kj::newPromiseAndFulfiller<GateVerdict>();
  auto connection =
      kj::heap<RpcConnection>(kj::mv(stream), newGateFacet(key, agent, kj::mv(paf.fulfiller)));
  // The RPC system ends with its last write, which may hang for good when nobody reads it.
  auto closed =
      raw.whenWriteDisconnected().then([this]() { return timer.afterDelay(CLOSED_LINGER); });
  auto gone = connection->onDisconnect().exclusiveJoin(kj::mv(closed)).fork();

  auto verdict = co_await untilVerdict(kj::mv(paf.promise), gone.addBranch());
  KJ_IF_MAYBE (given, verdict) {
    if (*given == GateVerdict::REFUSED) {
      co_await gone.addBranch().exclusiveJoin(timer.afterDelay(REFUSAL_LINGER));
      co_return;
    }
    if (welcomed.size() >= rpc::MAX_CONNECTIONS) {
      KJ_LOG(WARNING, "closing the oldest connection: there are enough", welcomed.size());
      welcomed.front().evict->fulfill();
    }
    co_await untilGoneOrEvicted(welcomed, gone.addBranch().exclusiveJoin(sendCreditUpdates(raw)));
  }
}

kj::Promise<void> HostConnections::sendCreditUpdates(VsockStream& stream) {
  for (;;) {
    co_await timer.afterDelay(CREDIT_UPDATE_INTERVAL);
    stream.sendCreditUpdate();
  }
}

kj::Promise<kj::Maybe<GateVerdict>> HostConnections::untilVerdict(kj::Promise<GateVerdict> verdict,
                                                                  kj::Promise<void> gone) {
  auto nobody = untilGoneOrEvicted(strangers, kj::mv(gone))
                    .exclusiveJoin(timer.afterDelay(HELLO_LIMIT))
                    .then([]() -> kj::Maybe<GateVerdict> { return nullptr; });
  co_return co_await verdict.then([](GateVerdict given) -> kj::Maybe<GateVerdict> { return given; })
      .exclusiveJoin(kj::mv(nobody));
}

kj::Promise<void> HostConnections::untilGoneOrEvicted(Evictables& list, kj::Promise<void> gone) {
  auto evicted = kj::newPromiseAndFulfiller<void>();
  Evictable self;
  self.evict = kj::mv(evicted.fulfiller);
  list.add(self);
  KJ_DEFER(list.remove(self));
  co_await gone.exclusiveJoin(kj::mv(evicted.promise));
}

void HostConnections::taskFailed(kj::Exception&& exception) {
  if (exception.getType() != kj::Exception::Type::DISCONNECTED) {
    KJ_LOG(ERROR, "a connection failed", exception.getDescription());
  }
}

}  // namespace bothy
