#pragma once

#include <kj/one-of.h>

#include "lane/lane-grant.h"
#include "store/records.h"

namespace bothy {

// What a session may do.
struct SessionRights {
  // Of MACHINE, TERMINALS or VIEW_TERMINALS, PROGRAMS, and the rights to files, or to those beneath a directory.
  LaneGrant::Verbs verbs;
  kj::Array<const kj::byte> beneath;

  static SessionRights of(const SessionRow& row);
  // As a row has them.
  uint32_t verbBits() const;

  // Why nobody may have them, with the limit; none: they are good.
  kj::Maybe<kj::String> fault() const;

  // What the session gets where `wanted` is what somebody gets who may do everything; or which right it has not, for people.
  kj::OneOf<LaneGrant, kj::StringPtr> narrow(LaneGrant wanted) const;

  // Resume the workspace where it is paused or hibernated: who may only look makes nobody's workspace run.
  bool mayWake() const;
  // Start the workspace, or make it anew after it has expired.
  bool mayStart() const { return verbs.has(rpc::Verb::MACHINE); }
  // See what set-up steps say: it can be read in the workspace as well.
  bool maySeeSetup() const;

  // For logs: "terminals, programs".
  kj::String names() const;
};

}  // namespace bothy
