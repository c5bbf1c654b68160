#include "control/client-identity.h"

#include "control/uid-owners.h"

namespace bothy {

kj::String actorOf(const ClientIdentity& client) {
  if (client.owner == UIDS_OF_ROOT) return kj::str("a uid of root's");
  if (client.owner == UIDS_UNKNOWN) return kj::str("an unknown uid");
  return kj::str("uid ", client.owner);
}

}  // namespace bothy
