#pragma once

#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// What the kernel's command line tells the agent.  Keys of ours begin with `bothy.`; all others belong to
// the kernel and are ignored.
struct CommandLine {
  // bothy.hostname=NAME.  Absent: the image's /etc/hostname decides.
  kj::Maybe<kj::String> hostname;

  // One sentence for each key of ours that is unknown or has a bad value; boot goes on without it.
  kj::Vector<kj::String> complaints;
};

// Never fails.  Values may be quoted as the kernel allows: key="a b" and "key=a b".
CommandLine parseCommandLine(kj::StringPtr text);

// RFC 1123: 1 to 63 of [a-zA-Z0-9-], no hyphen at either end.
bool isHostname(kj::StringPtr text);

}  // namespace bothy
