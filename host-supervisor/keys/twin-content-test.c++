#include "keys/twin-content.h"

#include "keys/byte-layout.h"
#include "keys/test-keyring.h"

namespace bothy {
namespace {

constexpr auto MAGIC = "BOTHYTST"_kj;

kj::Array<kj::byte> contentOfSize(size_t size) {
  LayoutWriter writer;
  writer.header(MAGIC, 1);
  while (writer.written().size() < size) writer.number(uint8_t(1));
  writer.setLength(size);
  return writer.finish();
}

TEST_CASE("a content is in a file twice, in blocks of its own") {
  for (size_t size : {CONTENT_HEADER_BYTES, size_t(4096), size_t(4097)}) {
    auto content = contentOfSize(size);
    auto file = twinOf(content);
    CHECK(file.size() == (size <= 4096 ? 8192 : 16384));
    CHECK(secondCopyOffset(file) == file.size() / 2);
    CHECK(contentIn(file, "/x", MAGIC, 1) == content.asPtr());
    CHECK(contentIn(file.slice(file.size() / 2, file.size()), "/x", MAGIC, 1) == content.asPtr());
  }
}

TEST_CASE("the first copy that is not refused counts, and the other's fault is told") {
  auto file = twinOf(contentOfSize(20));
  auto read = [&]() {
    return readTwin<size_t>(file, [](kj::ArrayPtr<const kj::byte> copy) {
      return contentIn(copy, "/x", MAGIC, 1).size();
    });
  };
  CHECK(read().damage == nullptr);
  file[0] ^= 1;
  CHECK(read().value == 20);
  CHECK(says(KJ_ASSERT_NONNULL(read().damage), "/x is refused"));
  file[0] ^= 1;
  file[4096] ^= 1;
  CHECK(read().value == 20);
  CHECK(read().damage != nullptr);
  file[1] ^= 1;
  CHECK(says(failureOf(read), "/x is refused: it does not begin with BOTHYTST"));
}

TEST_CASE("a length beyond the file is refused") {
  for (uint32_t length : {0u, 13u, 21u, 0xffffffffu}) {
    LayoutWriter writer;
    writer.header(MAGIC, 1);
    writer.bytes("123456"_kj.asBytes());
    writer.setLength(length);
    auto content = writer.finish();
    CHECK(says(failureOf([&]() { contentIn(content, "/x", MAGIC, 1); }), "its length is not"));
  }
}

}  // namespace
}  // namespace bothy
