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
  uint32_t group;  // that vsock devices have, and nobody else
};

// How long the process may take until its sockets are there.
constexpr kj::Duration VSOCK_DEVICE_LIMIT = 20 * kj::SECONDS;

// Starts the process, which is on its own from then on, and waits until QEMU can connect to it.  Dropping
// the promise kills it.  The directory of its sockets is root's, and open to `group` meanwhile: neither QEMU, which is of the same user,
// nor a device that its guest has taken over makes anything there.
kj::Promise<kj::Own<ProcessHandle>> startVsockDevice(kj::UnixEventPort& port, Subreaper& reaper,
                                                     VsockDeviceSpec spec);

// Whether the process listens at the Unix socket `path`, as it named it; also true of one that cannot be looked at.
bool isListening(pid_t process, kj::StringPtr path);

// Whether the device still serves its guest: the thread that does may end without the process.
// vhost-device-vsock 0.3.0 loses it to any error of its own, such as a dial that arrives in the moment in
// which the guest's driver starts; it then takes connections and answers none.
bool hasVsockWorker(pid_t device);

}  // namespace bothy
