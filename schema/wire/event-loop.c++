#include "wire/event-loop.h"

namespace bothy {

kj::AsyncIoContext setupEventLoop() {
  auto io = kj::setupAsyncIo();
  io.waitScope.setBusyPollInterval(BUSY_POLL_INTERVAL);
  return io;
}

}  // namespace bothy
