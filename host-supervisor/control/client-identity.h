#pragma once

#include <kj/string.h>
#include <stdint.h>
#include <sys/types.h>

namespace bothy {

constexpr uid_t ROOT = 0;

// Who is at the other end of a connection, as the kernel has it (SO_PEERCRED), and which of bothyd's clients that is.
struct ClientIdentity {
  uint64_t number;
  pid_t pid;  // 0: not known
  uid_t uid;
  gid_t gid;
  // Whose uid that is: another's for a subordinate one (subuid(5)).
  uid_t owner = uid;
};

// As events, lanes and wake locks have who asked: the user whose the client is, "uid 1000".
kj::String actorOf(const ClientIdentity& client);

}  // namespace bothy
