#include "rpc/host-connections.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"
#include "wire/vsock-stream.h"

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

kj::Promise<void> HostConnections::serveLane(kj::Own<kj::AsyncIoStream> stream) {
  auto paf = kj::newPromiseAndFulfiller<GateVerdict>();
  auto connection =
      kj::heap<RpcConnection>(kj::mv(stream), newGateFacet(key, agent, kj::mv(paf.fulfiller)));
  auto gone = connection->onDisconnect().fork();

  auto verdict = co_await untilVerdict(kj::mv(paf.promise), gone.addBranch());
  KJ_IF_MAYBE (given, verdict) {
    if (*given == GateVerdict::REFUSED) {
      co_await gone.addBranch().exclusiveJoin(timer.afterDelay(REFUSAL_LINGER));
      co_return;
    }
    if (welcomed >= rpc::MAX_CONNECTIONS) {
      KJ_LOG(WARNING, "closing a connection: there are enough", welcomed);
      co_return;
    }
    ++welcomed;
    KJ_DEFER(--welcomed);
    co_await gone.addBranch();
  }
}

kj::Promise<kj::Maybe<GateVerdict>> HostConnections::untilVerdict(kj::Promise<GateVerdict> verdict,
                                                                  kj::Promise<void> gone) {
  auto evicted = kj::newPromiseAndFulfiller<void>();
  Stranger self;
  self.evict = kj::mv(evicted.fulfiller);
  strangers.add(self);
  KJ_DEFER(strangers.remove(self));

  auto nobody = gone.exclusiveJoin(kj::mv(evicted.promise))
                    .exclusiveJoin(timer.afterDelay(HELLO_LIMIT))
                    .then([]() -> kj::Maybe<GateVerdict> { return nullptr; });
  co_return co_await verdict.then([](GateVerdict given) -> kj::Maybe<GateVerdict> { return given; })
      .exclusiveJoin(kj::mv(nobody));
}

void HostConnections::taskFailed(kj::Exception&& exception) {
  if (exception.getType() != kj::Exception::Type::DISCONNECTED) {
    KJ_LOG(ERROR, "a connection failed", exception.getDescription());
  }
}

}  // namespace bothy
