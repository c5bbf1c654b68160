#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>

namespace bothy {

// Accepts what `inner` does, which is sockets, as SocketStreams.  accept() fails where `inner`'s does or no descriptor is left, and may
// be called again.  `eventPort` outlives it.
class SocketReceiver final: public kj::ConnectionReceiver {
public:
  SocketReceiver(kj::UnixEventPort& eventPort, kj::Own<kj::ConnectionReceiver> inner)
      : eventPort(eventPort), inner(kj::mv(inner)) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override;
  kj::uint getPort() override { return inner->getPort(); }

private:
  kj::UnixEventPort& eventPort;
  kj::Own<kj::ConnectionReceiver> inner;
};

}  // namespace bothy
