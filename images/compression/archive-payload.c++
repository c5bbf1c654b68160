#include "compression/archive-payload.h"

#include <archive.h>
#include <archive_entry.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include "fault/fault.h"

namespace bothy {
namespace {

constexpr size_t READ_BYTES = 256 * 1024;

}  // namespace

kj::Array<const kj::byte> unpackPayload(kj::ArrayPtr<const kj::byte> packed, uint64_t maxBytes) {
  auto reader = archive_read_new();
  KJ_ASSERT(reader != nullptr);
  KJ_DEFER(archive_read_free(reader));
  archive_read_support_filter_gzip(reader);
  archive_read_support_filter_bzip2(reader);
  archive_read_support_filter_lzma(reader);
  archive_read_support_filter_xz(reader);
  archive_read_support_filter_lz4(reader);
  archive_read_support_filter_zstd(reader);
  archive_read_support_format_raw(reader);

  auto refuse = [&]() {
    auto reason = archive_error_string(reader);
    fail(kj::str("it cannot be unpacked: ", reason == nullptr ? "unknown form" : reason));
  };
  archive_entry* entry = nullptr;
  if (archive_read_open_memory(reader, packed.begin(), packed.size()) != ARCHIVE_OK ||
      archive_read_next_header(reader, &entry) != ARCHIVE_OK) {
    refuse();
  }
  // `raw` takes anything: without a filter it is not packed.
  if (archive_filter_count(reader) < 2) fail(kj::str("it cannot be unpacked: unknown form"));

  kj::Vector<kj::byte> content;
  auto piece = kj::heapArray<kj::byte>(READ_BYTES);
  while (true) {
    auto got = archive_read_data(reader, piece.begin(), piece.size());
    if (got < 0) refuse();
    if (got == 0) break;
    content.addAll(piece.slice(0, got));
    if (content.size() > maxBytes) {
      fail(kj::str("it cannot be unpacked: it has more than ", maxBytes, " bytes"));
    }
  }
  return content.releaseAsArray();
}

}  // namespace bothy
