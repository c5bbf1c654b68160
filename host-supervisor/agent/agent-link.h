#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

#include "agent/lane-reports.h"
#include "lane/lane-grant.h"
#include "schema/agent.capnp.h"

namespace bothy {

// How long it may take to reach an agent: dials, Hello, Grant and Welcome, with what is tried again.
constexpr kj::Duration HELLO_LIMIT = 5 * kj::SECONDS;

// The host's end of one VM's agent: the control lane, opened when first wanted, and lanes for others.
// Dropping it fails every call that waits with DISCONNECTED; lanes that were given away go on.
class AgentLink {
public:
  // The agent, over the control lane.  Dials and is greeted if need be; callers who arrive meanwhile join.  A lane
  // that has broken is opened again at the next call.  Fails with DISCONNECTED when the agent cannot be
  // reached within HELLO_LIMIT, FAILED when it refuses the secret, UNIMPLEMENTED when it is of another
  // protocol generation.
  virtual kj::Promise<rpc::AgentControl::Client> control() = 0;

  // Whether the control lane stands at this moment.
  virtual bool isLinked() = 0;

  // Opens the control lane if need be, without a second try.  Fails as control() does.
  virtual kj::Promise<void> tryControl() = 0;

  // Drops the control lane, whose agent does not answer: calls on it fail with DISCONNECTED, and the next one opens another.
  virtual void dropControl() = 0;

  // Ends the control lane, those that wait for a client, and every call, which fails with DISCONNECTED and `why`.  Nothing is dialled before
  // the next call, and that goes on with the reports where they were.
  virtual void rest(kj::StringPtr why) = 0;

  // Waits for a VM that is booting: tries again until it answers.  No deadline of its own.
  virtual kj::Promise<void> ready() = 0;

  // The protocol generation that is spoken with the agent.  Opens the control lane if need be, and fails as control() does.
  virtual kj::Promise<uint16_t> generation() = 0;

  // A connection for which `grant` was said, with a lane number of this link's: whoever gets it reads the Welcome.
  // Fails with DISCONNECTED when the agent cannot be reached within HELLO_LIMIT.
  struct OpenedLane {
    LaneGrant grant;
    kj::Own<kj::AsyncIoStream> stream;
  };
  virtual kj::Promise<OpenedLane> openLane(LaneGrant grant) = 0;
};

// `dial` opens a stream to the agent's port.  Lanes are numbered from `firstLane` on, which no earlier link of the same boot
// has reached.  `ended` is called when the agent reports that a lane has ended, `missed` and `happened`, see LaneReports; `lost` when a control lane that stood has
// ended, or was dropped, with the reason, of which no word is the agent's.
kj::Own<AgentLink> newAgentLink(kj::Timer& timer, kj::Array<const kj::byte> secret,
                                uint64_t firstLane,
                                kj::Function<kj::Promise<kj::Own<kj::AsyncIoStream>>()> dial,
                                LaneReports::Ended ended, LaneReports::Missed missed,
                                LaneReports::Happened happened,
                                kj::Function<void(kj::StringPtr)> lost);

}  // namespace bothy
