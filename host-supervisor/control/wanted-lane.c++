#include "control/wanted-lane.h"

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// With the rights to read, or with those to read and write.
kj::OneOf<LaneGrant, kj::StringPtr> filesGrant(LaneGrant grant, kj::StringPtr user,
                                               rpc::FileAccess access, LaneGrant::Verbs toRead,
                                               LaneGrant::Verbs toWrite) {
  grant.purpose = rpc::Purpose::FILES;
  if (user.size() > rpc::MAX_LANE_NAME_BYTES) return "the name of the user is too long"_kj;
  grant.user = kj::str(user);
  switch (access) {
    case rpc::FileAccess::READ:
      grant.verbs = toRead;
      return kj::mv(grant);
    case rpc::FileAccess::WRITE:
      grant.verbs = toWrite;
      return kj::mv(grant);
    default:
      return "a lane for files needs access to read or to write"_kj;
  }
}

}  // namespace

kj::OneOf<LaneGrant, kj::StringPtr> grantFor(rpc::LaneRequest::Reader wanted, kj::StringPtr start,
                                             const ClientIdentity& client) {
  using Verb = rpc::Verb;
  LaneGrant grant;
  grant.session = kj::str("client ", start, ".", client.number);
  grant.actor = actorOf(client);
  grant.allLanes = client.owner == ROOT;
  if (wanted.getLifetimeMillis() > 0) {
    if (wanted.getLifetimeMillis() > rpc::MAX_LANE_LIFETIME_MILLIS) {
      return "lifetimeMillis must be at most 3153600000000 (100 years)"_kj;
    }
    grant.lifetime = wanted.getLifetimeMillis() * kj::MILLISECONDS;
  }
  switch (wanted.which()) {
    case rpc::LaneRequest::INTERACTIVE:
      grant.purpose = rpc::Purpose::INTERACTIVE;
      grant.verbs = {Verb::MACHINE, Verb::TERMINALS};
      return kj::mv(grant);
    case rpc::LaneRequest::COMMANDS:
      grant.purpose = rpc::Purpose::COMMANDS;
      grant.verbs = {Verb::MACHINE, Verb::PROGRAMS};
      return kj::mv(grant);
    case rpc::LaneRequest::FILES:
      return filesGrant(kj::mv(grant), wanted.getFiles().getUser(), wanted.getFiles().getAccess(),
                        {Verb::READ_FILES}, {Verb::READ_FILES, Verb::WRITE_FILES});
    case rpc::LaneRequest::FILES_BENEATH: {
      auto directory = wanted.getFilesBeneath().getDirectory();
      if (directory.size() == 0 || directory.size() > rpc::MAX_BENEATH_BYTES) {
        return "a lane for files beneath a directory needs its path, of at most 2048 bytes"_kj;
      }
      grant.beneath = kj::heapArray<const kj::byte>(directory);
      return filesGrant(kj::mv(grant), wanted.getFilesBeneath().getUser(),
                        wanted.getFilesBeneath().getAccess(), {Verb::READ_BENEATH},
                        {Verb::READ_BENEATH, Verb::WRITE_BENEATH});
    }
    case rpc::LaneRequest::MACHINE:
      grant.purpose = rpc::Purpose::COMMANDS;
      grant.verbs = {Verb::MACHINE};
      return kj::mv(grant);
    case rpc::LaneRequest::VIEW_TERMINALS:
      grant.purpose = rpc::Purpose::INTERACTIVE;
      grant.verbs = {Verb::VIEW_TERMINALS};
      return kj::mv(grant);
    default:
      return "a lane must be wanted for something"_kj;
  }
}

kj::ArrayPtr<const VerbGeneration> verbsSinceTheOldest() {
  static constexpr VerbGeneration NEWER[] = {{rpc::Verb::VIEW_TERMINALS, rpc::STATEFUL_TERMINALS},
                                             {rpc::Verb::READ_BENEATH, rpc::LANES_BENEATH},
                                             {rpc::Verb::WRITE_BENEATH, rpc::LANES_BENEATH}};
  return NEWER;
}

uint16_t oldestGenerationFor(const LaneGrant& grant, kj::ArrayPtr<const VerbGeneration> newer) {
  uint16_t oldest = rpc::OLDEST_GENERATION;
  for (auto& entry : newer) {
    if (grant.verbs.has(entry.verb)) oldest = kj::max(oldest, entry.generation);
  }
  return oldest;
}

}  // namespace bothy
