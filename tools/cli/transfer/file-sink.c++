#include "transfer/file-sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "console/failure.h"

namespace bothy {

kj::Promise<void> FileSink::write(WriteContext context) {
  kj::ArrayPtr<const kj::byte> data = context.getParams().getData();
  // To the page cache: it waits for the disk only when the system is short of memory.
  while (data.size() > 0) {
    ssize_t count = ::write(fd, data.begin(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      kj::throwFatalException(failure(kj::str(path, ": cannot write: ", strerror(errno))));
    }
    data = data.slice(static_cast<size_t>(count), data.size());
    received.bytes += static_cast<uint64_t>(count);
  }
  return kj::READY_NOW;
}

kj::Promise<void> FileSink::end(EndContext context) {
  received.complete = true;
  return kj::READY_NOW;
}

kj::Promise<void> OutputSink::write(WriteContext context) {
  auto data = context.getParams().getData();
  co_await output.write(data.begin(), data.size());
  received.bytes += data.size();
}

kj::Promise<void> OutputSink::end(EndContext context) {
  received.complete = true;
  return kj::READY_NOW;
}

}  // namespace bothy
