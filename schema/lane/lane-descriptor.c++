#include "lane/lane-descriptor.h"

#include <kj/debug.h>
#include <kj/io.h>

#include "wire/socket-stream.h"
#include "wire/vsock-stream.h"

namespace bothy {

kj::Promise<kj::Own<kj::AsyncIoStream>> streamOf(rpc::Lane::Client lane,
                                                 kj::UnixEventPort& eventPort) {
  auto descriptor = co_await lane.getFd();
  KJ_IF_MAYBE (fd, descriptor) {
    // The capability's own is closed with it, in the middle of the stream's last work perhaps.
    kj::Own<kj::AsyncIoStream> stream =
        kj::heap<VsockStream>(kj::heap<SocketStream>(eventPort, duplicateSocket(*fd)));
    co_return stream.attach(kj::mv(lane));
  }
  kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the lane was gone before it arrived"));
}

}  // namespace bothy
