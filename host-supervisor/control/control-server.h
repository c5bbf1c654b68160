#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/map.h>
#include <kj/timer.h>
#include <sys/types.h>

#include "control/client-connection.h"
#include "control/client-identity.h"
#include "control/uid-owners.h"
#include "loop/log-pace.h"

namespace bothy {

// SO_PASSRIGHTS, from Linux 6.16 on, which the headers of older ones do not name.
constexpr int PASS_RIGHTS = 83;

// Connections that one user may have, with those of his subordinate user ids, of `maxConnections`: a part of them.  Root may have all.
constexpr uint32_t USER_SHARE = 4;

// How long a client waits for descriptors of its user's to be closed, where too many are not (FarCloser::MAX_UNCLOSED), before it is
// turned away.
constexpr kj::Duration UNCLOSED_LIMIT = 1 * kj::SECONDS;

// Serves whoever connects to a Unix socket: at most `maxConnections` at a time, each within the limits
// of limits.capnp.  One more waits until another leaves.  One that is more than its user's share is turned away, with an RPC abort that
// says so.
class ControlServer final: private kj::TaskSet::ErrorHandler {
public:
  // What a client gets.
  using Bootstrap = kj::Function<capnp::Capability::Client(ClientIdentity)>;

  // `timer`, `descriptors`, of what clients get, `owners`, `clock` (see MessageGuard) and `closer`, of what clients send, outlive
  // it.  Its clients have numbers above `clientsBefore`.
  ControlServer(kj::Timer& timer, const DescriptorTable& descriptors, UidOwners& owners,
                Bootstrap bootstrap, uint32_t maxConnections, const kj::MonotonicClock& clock,
                const FarCloser& closer = sharedCloser(), uint64_t clientsBefore = 0);
  ~ControlServer() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ControlServer);

  // Serves until dropped; fails if the socket does.  While this process has no files left (EMFILE, ENFILE) or no memory,
  // who comes waits; and while more descriptors wait for their close than FarCloser::MAX_UNCLOSED_IN_ALL.
  kj::Promise<void> listen(kj::ConnectionReceiver& receiver);

private:
  kj::Timer& timer;
  const DescriptorTable& descriptors;
  UidOwners& owners;
  Bootstrap bootstrap;
  MessageBudget budget{CLIENTS_LIMITS};
  uint64_t clients;  // that came so far
  const uint32_t userShare;
  const kj::MonotonicClock& clock;
  const FarCloser& closer;
  uint32_t free;
  kj::HashMap<uid_t, uint32_t>
      byUser;    // connections, of users who have some, by owner; by user id until that is known
  LogPace told;  // that one is turned away or ended
  LogPace toldFull;  // that one waits
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting;
  kj::TaskSet connections;

  struct Visitor {
    kj::Own<DescriptorFilter> stream;
    ClientIdentity identity;
  };
  kj::Promise<Visitor> accept(kj::ConnectionReceiver& receiver);
  // The connection's life, from the question on whose it is.
  kj::Promise<void> admit(Visitor visitor);
  kj::Promise<void> serve(Visitor visitor);
  // Until its user's descriptors are closed.
  kj::Promise<void> serveLater(Visitor visitor);
  kj::Promise<void> turnAway(Visitor visitor, kj::StringPtr why);
  bool isShareUsedUp(uid_t user);
  // Counts a connection.
  void enter(uid_t user);
  void exit(uid_t user);
  void leave();
  void taskFailed(kj::Exception&& exception) override;
};

// A Unix socket at `path` (what is there is replaced), of `mode`; 0: mode 0600, or 0660 for `group` if it is named.
kj::AutoCloseFd listenOn(kj::StringPtr path, kj::StringPtr group, mode_t mode = 0);

}  // namespace bothy
