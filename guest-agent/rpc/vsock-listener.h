#pragma once

#include <kj/async-io.h>
#include <kj/io.h>

namespace bothy {

// A socket that listens for the host: on every context id of this machine, because a restore may change
// it, at rpc::AGENT_PORT.
kj::AutoCloseFd listenForHost();

// Lets the host in, and nobody else: connections of a guest's own processes (vsock loopback, or another
// machine) are closed before a byte is said.
class HostOnly final: public kj::LowLevelAsyncIoProvider::NetworkFilter {
public:
  bool shouldAllow(const struct sockaddr* address, kj::uint length) override;
};

}  // namespace bothy
