#include "lane/lane-descriptor.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "wire/vsock-stream.h"

namespace bothy {

kj::Promise<kj::Own<kj::AsyncIoStream>> streamOf(rpc::Lane::Client lane,
                                                 kj::LowLevelAsyncIoProvider& io) {
  auto descriptor = co_await lane.getFd();
  KJ_IF_MAYBE (fd, descriptor) {
    // The capability's own is closed with it, in the middle of the stream's last work perhaps.
    int copy;
    KJ_SYSCALL(copy = fcntl(*fd, F_DUPFD_CLOEXEC, 0));
    auto socket =
        io.wrapSocketFd(kj::AutoCloseFd(copy), kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                                                   kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK);
    kj::Own<kj::AsyncIoStream> stream = kj::heap<VsockStream>(kj::mv(socket));
    co_return stream.attach(kj::mv(lane));
  }
  kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the lane was gone before it arrived"));
}

}  // namespace bothy
