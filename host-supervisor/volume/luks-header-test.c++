#include "volume/luks-header.h"

#include "volume/test-volumes.h"

namespace bothy {
namespace {

kj::String faultOf(kj::ArrayPtr<const kj::byte> area) {
  KJ_IF_MAYBE (text, luksFault(area)) {
    return kj::mv(*text);
  }
  return kj::str("none");
}

TEST_CASE("E01 a LUKS area is of aes-xts-plain64 with 512 bits, and holds no key") {
  auto key = testKey();
  auto area = newLuksArea(key);
  REQUIRE(area.size() == LUKS_AREA_BYTES);
  CHECK(says(faultOf(area), "none"));
  CHECK(area.slice(0, 8) == "LUKS\xba\xbe\0\x01"_kj.asBytes());
  CHECK(contains(area.slice(8, 40), "aes\0"_kj.asBytes()));
  CHECK(contains(area.slice(40, 72), "xts-plain64\0"_kj.asBytes()));
  CHECK(area[111] == 64);
  CHECK_FALSE(contains(area, key.bytes()));
  CHECK_FALSE(contains(area, hexadecimal(key).bytes()));
}

TEST_CASE("E02 two volumes with one key have nothing in common that is secret") {
  auto key = testKey();
  auto first = newLuksArea(key), second = newLuksArea(key);
  // Digest of the volume key, and what the key slot keeps.
  CHECK(first.slice(112, 132) != second.slice(112, 132));
  for (size_t at = 4096; at < 4096 + 4000 * 64; at += 4096) {
    CHECK(first.slice(at, at + 32) != second.slice(at, at + 32));
  }
}

TEST_CASE("S15 a LUKS header other than those made here is refused") {
  auto area = newLuksArea(testKey());
  auto header = kj::heapArray(area.slice(0, LUKS_HEADER_BYTES).asConst());
  auto with = [&](size_t offset, kj::byte value) {
    auto changed = kj::heapArray(header.asPtr().asConst());
    KJ_ASSERT(changed[offset] != value);
    changed[offset] = value;
    return faultOf(changed);
  };
  CHECK(says(faultOf(header), "none"));
  CHECK(says(with(0, 'l'), "no LUKS header"));
  CHECK(says(with(7, 2), "no LUKS header"));
  CHECK(says(with(8, 'x'), "another cipher"));
  CHECK(says(with(11, 'x'), "another cipher"));
  CHECK(says(with(40, 'e'), "another cipher"));
  CHECK(says(with(72, 'm'), "another cipher"));
  CHECK(says(with(111, 32), "another cipher"));
  CHECK(says(with(107, 1), "key slots"));
  // Iterations by the billion would keep QEMU busy for hours: of the digest, of a slot.
  CHECK(says(with(164, 0xff), "key slots"));
  CHECK(says(with(212, 0xff), "key slots"));
  // A slot not in use, another in use, elsewhere, with more stripes.
  CHECK(says(with(208, 1), "key slots"));
  CHECK(says(with(256, 1), "key slots"));
  CHECK(says(with(208 + 43, 9), "key slots"));
  CHECK(says(with(208 + 44, 1), "key slots"));
  CHECK(says(faultOf(zeros(LUKS_HEADER_BYTES)), "destroyed in part"));
}

}  // namespace
}  // namespace bothy
