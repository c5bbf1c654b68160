#include "vm/host-probe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <kj/debug.h>

#include "vm/accelerator-probe.h"
#include "vm/vsock-namespace.h"

namespace bothy {

kj::Promise<HostAbilities> probeHost(kj::AsyncIoContext& io, Subreaper& reaper,
                                     const LibvirtDriverSettings& settings) {
  auto accelerator = co_await probeAccelerator(io.unixEventPort, reaper, settings.emulator,
                                               settings.stateDir, settings.probeUser);
  HostAbilities found{accelerator.accelerator, HostAbilities::Vsock::KERNEL,
                      kj::mv(accelerator.reason), nullptr};
  if (settings.uri.size() == 0 && isVsockOfNewNetworksLocal()) {
    found.vsock = HostAbilities::Vsock::VHOST_USER;
    found.vsockReason = kj::str("net.vsock.child_ns_mode is local: the kernel's would reach a ",
                                "machine from its own network namespace alone");
    co_return kj::mv(found);
  }
  kj::AutoCloseFd kernelVsock(open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC));
  if (kernelVsock.get() < 0) {
    // The node may be there without its driver.
    found.vsock = HostAbilities::Vsock::VHOST_USER;
    found.vsockReason = errno == ENOENT
                            ? kj::str("there is no /dev/vhost-vsock")
                            : kj::str("/dev/vhost-vsock does not open: ", strerror(errno));
  }
  co_return kj::mv(found);
}

}  // namespace bothy
