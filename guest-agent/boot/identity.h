#pragma once

#include <kj/string.h>

namespace bothy {

// What makes the machine itself: its name, its id, its own network interface.

// Sets the host name: `wanted`, else the image's /etc/hostname, else "bothy".  Keeps /etc/hostname in step.
void nameMachine(kj::Maybe<kj::StringPtr> wanted);

// Has a line for the host name in `path`, so that it resolves.  A file of MAX_HOSTS_BYTES or more stays as
// it is: libnss-myhostname knows the name as well.
void nameInHosts(kj::StringPtr path);
constexpr size_t MAX_HOSTS_BYTES = 1024 * 1024;

// Writes a random id to `path` unless there is one: two machines of one image must not share it.
void ensureMachineId(kj::StringPtr path);

// Whether `text` is what machine-id(5) asks for.
bool isMachineId(kj::StringPtr text);

// `hosts` with a line for `name` if it has none; null if nothing is to be changed.
kj::Maybe<kj::String> withHostname(kj::StringPtr hosts, kj::StringPtr name);

// Brings the loopback interface up; the kernel gives it its addresses.
void raiseLoopback();

}  // namespace bothy
