#include "control/client-identity.h"

#include <catch2/catch_test_macros.hpp>

#include "control/uid-owners.h"

namespace bothy {
namespace {

TEST_CASE("P58 who asks is the user whose the client is, also with a subordinate uid") {
  auto actor = [](uid_t uid, uid_t owner) {
    return actorOf(ClientIdentity{1, 2, uid, uid, owner});
  };
  CHECK(actor(0, 0) == "uid 0");
  CHECK(actor(1000, 1000) == "uid 1000");
  CHECK(actor(101000, 1000) == "uid 1000");
  CHECK(actor(101000, UIDS_OF_ROOT) == "a uid of root's");
  CHECK(actor(101000, UIDS_UNKNOWN) == "an unknown uid");
}

}  // namespace
}  // namespace bothy
