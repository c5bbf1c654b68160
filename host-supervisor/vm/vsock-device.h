#pragma once

#include <kj/async-unix.h>
#include <kj/timer.h>

#include "loop/child-process.h"

namespace bothy {

// What a vhost-device-vsock process is started with.
struct VsockDeviceSpec {
  kj::StringPtr program;
  kj::String socket;      // for QEMU
  kj::String dialSocket;  // for us, see dialVsockDevice()
  uint32_t cid;
  uint32_t user;
};

// How long the process may take until its sockets are there.
constexpr kj::Duration VSOCK_DEVICE_LIMIT = 20 * kj::SECONDS;

// Starts the process, which is on its own from then on, and waits until QEMU can connect to it.  Dropping
// the promise kills it.
kj::Promise<kj::Own<ProcessHandle>> startVsockDevice(kj::UnixEventPort& port, Subreaper& reaper,
                                                     VsockDeviceSpec spec);

}  // namespace bothy
