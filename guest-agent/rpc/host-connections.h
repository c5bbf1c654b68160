#pragma once

#include <kj/async-io.h>
#include <kj/list.h>
#include <kj/timer.h>

#include "rpc/gate-facet.h"
#include "wire/vsock-stream.h"

namespace bothy {

// How long a connection may take to say hello.
constexpr kj::Duration HELLO_LIMIT = 5 * kj::SECONDS;

// After a refusal, the time that the answer has to leave before the connection is closed.
constexpr kj::Duration REFUSAL_LINGER = 250 * kj::MILLISECONDS;

// After a failure to accept (no descriptor left, say), before it is tried again.
constexpr kj::Duration ACCEPT_RETRY = 1 * kj::SECONDS;

// Connections that have not said hello yet.  Over it the oldest is closed: a flood of strangers must not
// keep the supervisor out.
constexpr kj::uint MAX_STRANGERS = 16;

// A connection whose host has closed it, and to which something is still being written, is dropped after so long.
constexpr kj::Duration CLOSED_LINGER = 1 * kj::SECONDS;

// How often the host's device is made to look whether the host's end of a lane is still there.
constexpr kj::Duration CREDIT_UPDATE_INTERVAL = 10 * kj::SECONDS;

// The connections from the host, each an RPC connection ("lane") of its own behind a gate.  Those that
// were welcomed are at most rpc::MAX_CONNECTIONS: over it, the oldest is closed.  All of them are the supervisor's,
// which wants the new one; that an old one is dead it may never be told.
//
// Dropping it closes them all.
class HostConnections final: private kj::TaskSet::ErrorHandler {
public:
  // `timer` and `key` outlive it.
  HostConnections(kj::Timer& timer, const GateKey& key, rpc::Agent::Client agent);
  ~HostConnections() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(HostConnections);

  // Takes a connection on and serves it in the background.
  void add(kj::Own<kj::AsyncIoStream> stream);

  // Takes on whatever `receiver` accepts, until dropped; never fails.
  kj::Promise<void> serve(kj::Own<kj::ConnectionReceiver> receiver);

  // Resolves when there is no connection.
  kj::Promise<void> onEmpty() { return lanes.onEmpty(); }

private:
  // In the order in which they came.
  struct Evictable {
    kj::Own<kj::PromiseFulfiller<void>> evict;
    kj::ListLink<Evictable> link;
  };
  using Evictables = kj::List<Evictable, &Evictable::link>;

  kj::Timer& timer;
  const GateKey& key;
  rpc::Agent::Client agent;
  Evictables strangers;
  Evictables welcomed;
  kj::TaskSet lanes;

  kj::Promise<void> serveLane(kj::Own<VsockStream> stream);
  // Until dropped.
  kj::Promise<void> sendCreditUpdates(VsockStream& stream);
  kj::Promise<kj::Maybe<GateVerdict>> untilVerdict(kj::Promise<GateVerdict> verdict,
                                                   kj::Promise<void> gone);
  // Returns when `gone` does, or when it is evicted from `list`.
  static kj::Promise<void> untilGoneOrEvicted(Evictables& list, kj::Promise<void> gone);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
