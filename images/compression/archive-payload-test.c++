#include "compression/archive-payload.h"

#include <archive.h>
#include <archive_entry.h>

#include <kj/debug.h>
#include <kj/exception.h>
#include <kj/string.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr size_t MAX_PACKED_BYTES = 4096;

using Filter = int (*)(archive*);

kj::Array<kj::byte> pack(Filter filter, kj::StringPtr text) {
  auto buffer = kj::heapArray<kj::byte>(MAX_PACKED_BYTES);
  size_t used = 0;
  auto writer = archive_write_new();
  auto entry = archive_entry_new();
  KJ_DEFER({
    archive_entry_free(entry);
    archive_write_free(writer);
  });
  archive_write_set_format_raw(writer);
  KJ_ASSERT(filter(writer) == ARCHIVE_OK);
  archive_write_set_bytes_per_block(writer, 0);
  KJ_ASSERT(archive_write_open_memory(writer, buffer.begin(), buffer.size(), &used) == ARCHIVE_OK);
  archive_entry_set_filetype(entry, AE_IFREG);
  KJ_ASSERT(archive_write_header(writer, entry) == ARCHIVE_OK);
  KJ_ASSERT(archive_write_data(writer, text.begin(), text.size()) == text.size());
  KJ_ASSERT(archive_write_close(writer) == ARCHIVE_OK);
  return kj::heapArray(buffer.slice(0, used).asConst());
}

kj::String unpack(kj::ArrayPtr<const kj::byte> packed, uint64_t maxBytes = 100) {
  return kj::heapString(unpackPayload(packed, maxBytes).asChars());
}

TEST_CASE("a payload comes out of each form that kernels and modules are packed in") {
  for (Filter filter : {archive_write_add_filter_gzip, archive_write_add_filter_bzip2,
                        archive_write_add_filter_lzma, archive_write_add_filter_xz,
                        archive_write_add_filter_lz4, archive_write_add_filter_zstd}) {
    CHECK(unpack(pack(filter, "a kernel")) == "a kernel");
  }
}

TEST_CASE("a payload that is larger than allowed is refused") {
  auto packed = pack(archive_write_add_filter_zstd, "a kernel");
  CHECK(unpack(packed, 8) == "a kernel");
  CHECK_THROWS_AS(unpack(packed, 7), kj::Exception);
}

TEST_CASE("what is not packed, or damaged, is refused") {
  CHECK_THROWS_AS(unpack("plain text"_kj.asBytes()), kj::Exception);
  auto packed = pack(archive_write_add_filter_xz, "a kernel");
  CHECK_THROWS_AS(unpack(packed.slice(0, packed.size() / 2)), kj::Exception);
}

}  // namespace
}  // namespace bothy
