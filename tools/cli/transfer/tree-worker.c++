#include "transfer/tree-worker.h"

#include <sys/socket.h>

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {

TreeWorker::TreeWorker(Work workParam)
    : done(kj::newPromiseAndCrossThreadFulfiller<void>()), work(kj::mv(workParam)) {
  // A socket, because a pipe's reader waits for as long as anybody holds the other end.
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  stream = kj::AutoCloseFd(ends[0]);
  own = kj::AutoCloseFd(ends[1]);
  // Fewer wake-ups of the thread at the other end.
  const int buffer = static_cast<int>(rpc::MAX_CHUNK_BYTES);
  for (int end : ends) setsockopt(end, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
  thread = kj::heap<kj::Thread>([this] {
    auto exception = kj::runCatchingExceptions([this] { problem = work(own); });
    // A sender whose archive was refused learns it, and a reader that the archive is at its end.
    shutdown(own, SHUT_RDWR);
    KJ_IF_MAYBE (thrown, exception) {
      done.fulfiller->reject(kj::mv(*thrown));
    } else {
      done.fulfiller->fulfill();
    }
  });
}

TreeWorker::~TreeWorker() noexcept(false) {
  shutdown(own, SHUT_RDWR);
}

}  // namespace bothy
