#pragma once

#include <kj/async-unix.h>
#include <kj/string.h>

#include "loop/subreaper.h"

namespace bothy {

// How long a program may take to say its version.
constexpr kj::Duration VERSION_LIMIT = 10 * kj::SECONDS;
// The longest of what it says that is kept: a line for people.
constexpr size_t MAX_VERSION_BYTES = 200;

// The libvirt library's, "11.3.0".
kj::String libvirtVersion();

struct EmulatorVersion {
  // The first line of what QEMU says, without what is no printable ASCII; empty if it could not be asked.
  kj::String text;
  // Why it could not, one line; else empty.
  kj::String fault;
};

// Asks the emulator that is installed now, which is the one of the next machine to start.  It runs as `user`.
kj::Promise<EmulatorVersion> emulatorVersion(kj::UnixEventPort& port, Subreaper& reaper,
                                             kj::StringPtr emulator, uint32_t user);

}  // namespace bothy
