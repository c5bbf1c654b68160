#include "transfer/file-sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "console/failure.h"

namespace bothy {

void FileSink::fail(kj::String why) {
  auto exception = failure(kj::str(path, ": ", why));
  if (received.failure == nullptr) received.failure = kj::cp(exception);
  kj::throwFatalException(kj::mv(exception));
}

void FileSink::requireRoomFor(uint64_t bytes) {
  if (bytes <= limits.said - received.bytes) return;
  fail(kj::str("more comes than the ", limits.said,
               " bytes that the file was said to have: copy it again, or to - for all there is"));
}

void FileSink::requireSpaceFor(uint64_t bytes) {
  received.onDisk += received.blocks.add(received.bytes, bytes);
  if (received.onDisk > limits.space.bytes) fail(limits.space.describe());
}

kj::Promise<void> FileSink::write(WriteContext context) {
  kj::ArrayPtr<const kj::byte> data = context.getParams().getData();
  requireRoomFor(data.size());
  requireSpaceFor(data.size());
  // To the page cache: it waits for the disk only when the system is short of memory.
  while (data.size() > 0) {
    auto at = static_cast<off_t>(received.bytes);
    ssize_t count = pwrite(fd, data.begin(), data.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(kj::str("cannot write: ", strerror(errno)));
    data = data.slice(static_cast<size_t>(count), data.size());
    received.bytes += static_cast<uint64_t>(count);
  }
  return kj::READY_NOW;
}

kj::Promise<void> FileSink::skip(SkipContext context) {
  auto bytes = context.getParams().getBytes();
  requireRoomFor(bytes);
  received.bytes += bytes;
  return kj::READY_NOW;
}

kj::Promise<void> FileSink::end(EndContext context) {
  // The end may be a hole.
  if (ftruncate(fd, static_cast<off_t>(received.bytes)) < 0) {
    fail(kj::str("cannot write: ", strerror(errno)));
  }
  received.complete = true;
  return kj::READY_NOW;
}

}  // namespace bothy
