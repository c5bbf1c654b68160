#include "files/file-sending.h"

#include <errno.h>
#include <kj/debug.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree/file-extents.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

// Bytes read at a time past the size that a file had.
constexpr uint64_t GROWTH_CHUNK_BYTES = 16 * 1024;

uint64_t sizeOf(int fd) {
  struct stat status;
  KJ_SYSCALL(fstat(fd, &status));
  return status.st_size < 0 ? 0 : static_cast<uint64_t>(status.st_size);
}

// read(2) of a stretch, and its errno.
struct ReadResult {
  ssize_t count;
  int error;
};

ReadResult readAt(int fd, kj::ArrayPtr<kj::byte> space, uint64_t offset) {
  for (;;) {
    auto count = pread(fd, space.begin(), space.size(), static_cast<off_t>(offset));
    if (count >= 0 || errno != EINTR) return {count, count < 0 ? errno : 0};
  }
}

kj::Promise<void> skip(rpc::ByteSink::Client sink, uint64_t bytes) {
  auto request = sink.castAs<rpc::SparseSink>().skipRequest();
  request.setBytes(bytes);
  return request.send();
}

}  // namespace

kj::Promise<FileResult<SentFile>> sendFile(kj::AutoCloseFd file, uint64_t offset, uint64_t length,
                                           rpc::ByteSink::Client sink, Holes holes,
                                           FilesLimits& limits, FileCounts& counts) {
  struct stat status;
  KJ_SYSCALL(fstat(file, &status));
  const uint64_t size = status.st_size < 0 ? 0 : static_cast<uint64_t>(status.st_size);
  uint64_t left = length == 0 ? UINT64_MAX : length;
  uint64_t total = 0;
  SinkWriter writer(sink);
  // Up to here there is data, as far as is known.
  uint64_t dataEnd = holes == Holes::SKIP ? 0 : UINT64_MAX;
  while (left > 0 && offset <= INT64_MAX) {
    if (offset >= dataEnd) {
      // A file of the kernel has no size, and what comes after the size has no hole.
      auto extent = offset < size ? nextExtent(file, offset, size) : FileExtent{offset, 0};
      uint64_t holeEnd = extent.offset;
      if (extent.length == 0) holeEnd = kj::max(offset, kj::min(holeEnd, sizeOf(file)));
      auto hole = kj::min(holeEnd - offset, left);
      if (hole > 0) co_await skip(sink, hole);
      offset += hole;
      left -= hole;
      total += hole;
      dataEnd = extent.length == 0 ? UINT64_MAX : extent.end();
      continue;
    }
    // The exact size, so that no message is longer than its bytes; then what came since, if any.
    uint64_t expected = offset < size ? kj::min(size, dataEnd) - offset : GROWTH_CHUNK_BYTES;
    auto space = writer.buffer(kj::min(kj::min(left, expected), uint64_t{limits.chunkBytes()}));
    auto read = readAt(file, space, offset);
    if (read.count < 0) co_return FileProblem::fromErrno(read.error);
    if (read.count == 0) break;
    auto count = static_cast<size_t>(read.count);
    offset += count;
    left -= count;
    total += count;
    counts.bytesRead += count;
    co_await writer.send(count);
  }
  co_await writer.end();
  co_return SentFile{total, FileDetails::of("", status)};
}

}  // namespace bothy
