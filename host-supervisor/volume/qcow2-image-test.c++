#include "volume/qcow2-image.h"

#include <utility>

#include "volume/big-endian.h"
#include "volume/test-volumes.h"
#include "volume/volume-store.h"

namespace bothy {
namespace {

constexpr uint32_t FEATURE_NAMES = 0x6803f857;

// The first cluster of an empty image, to be damaged.
struct Cluster {
  kj::Array<kj::byte> bytes = zeros(CLUSTER_BYTES);

  explicit Cluster(uint64_t guestBytes = 8 * MEBIBYTE) {
    auto pieces = emptyImage(guestBytes);
    memcpy(bytes.begin(), pieces[0].content.begin(), pieces[0].content.size());
  }
  // Numbers of one byte, at their last byte.
  Cluster&& set(size_t offset, kj::byte value) {
    bytes[offset] = value;
    return kj::mv(*this);
  }
  // An extension of this type in the place of the end mark, and a new end mark behind it.
  Cluster&& extend(uint32_t type, uint32_t length) {
    BigEndian<uint32_t> head[2];
    head[0] = type;
    head[1] = length;
    memcpy(bytes.begin() + EXTENSIONS_END, head, sizeof(head));
    return kj::mv(*this);
  }
  kj::String fault() const {
    KJ_IF_MAYBE (text, imageFault(bytes)) {
      return kj::mv(*text);
    }
    return kj::str("none");
  }

  // Header, and the extension of 8 + 16 bytes.
  static constexpr size_t EXTENSIONS_END = 112 + 24;
};

TEST_CASE("the head of an image is what its own check takes, for each size up to the limit") {
  for (uint64_t bytes : {MEBIBYTE, 3 * MEBIBYTE, 1024 * MEBIBYTE, MAX_GROWN_VOLUME_BYTES,
                         MAX_GROWN_VOLUME_BYTES + MEBIBYTE, MAX_VOLUME_BYTES}) {
    Cluster cluster(bytes);
    CHECK(says(cluster.fault(), "none"));
    CHECK(guestBytesOf(cluster.bytes) == bytes);
    CHECK(sizeFields(bytes) ==
          cluster.bytes.slice(GUEST_BYTES_OFFSET, GUEST_BYTES_OFFSET + SIZE_FIELDS_BYTES));
  }
}

TEST_CASE("the head names each of its clusters once, and lies before the LUKS area") {
  for (uint64_t bytes : {MEBIBYTE, MAX_VOLUME_BYTES}) {
    auto pieces = emptyImage(bytes);
    for (auto& piece : pieces) CHECK(piece.offset + piece.content.size() <= LUKS_AREA_OFFSET);
    auto& refcounts = pieces.back().content;
    REQUIRE(refcounts.size() == 2 * HEAD_BYTES / CLUSTER_BYTES);
    for (size_t i = 0; i < refcounts.size(); i += 2) {
      // Behind the one cluster of a small table there is room for data.
      bool isFree = bytes == MEBIBYTE && 5 <= i / 2 && i / 2 < 8;
      CHECK(refcounts[i] == 0);
      CHECK(refcounts[i + 1] == (isFree ? 0 : 1));
    }
  }
}

TEST_CASE("a table that is looked through at each write has no entry that the disk does not need") {
  for (auto [bytes, entries] : {std::pair<uint64_t, kj::byte>{MEBIBYTE, 1},
                                {512 * MEBIBYTE, 1},
                                {513 * MEBIBYTE, 2},
                                {4096 * MEBIBYTE, 8}}) {
    CHECK(sizeFields(bytes)[SIZE_FIELDS_BYTES - 1] == entries);
  }
  CHECK(growsByFields(MEBIBYTE, MAX_GROWN_VOLUME_BYTES));
  CHECK_FALSE(growsByFields(MAX_GROWN_VOLUME_BYTES, MAX_GROWN_VOLUME_BYTES + MEBIBYTE));
}

TEST_CASE(
    "S15 a header that would lead QEMU elsewhere is refused, and so is each other difference") {
  CHECK(says(Cluster().set(0, 'X').fault(), "no qcow2 image"));
  CHECK(says(Cluster().set(7, 2).fault(), "another version"));
  CHECK(says(Cluster().set(15, 200).fault(), "backing file"));
  CHECK(says(Cluster().set(19, 5).fault(), "backing file"));
  CHECK(says(Cluster().set(23, 9).fault(), "cluster bits"));
  CHECK(says(Cluster().set(35, 0).fault(), "not encrypted with LUKS"));
  CHECK(says(Cluster().set(35, 1).fault(), "not encrypted with LUKS"));
  CHECK(says(Cluster().set(39, 2).fault(), "number of L1 entries"));
  CHECK(says(Cluster().set(45, 1).fault(), "L1 offset"));
  CHECK(says(Cluster().set(53, 9).fault(), "refcount table offset"));
  CHECK(says(Cluster().set(59, 1).fault(), "number of refcount table clusters"));
  CHECK(says(Cluster().set(63, 3).fault(), "3 snapshots"));
  CHECK(says(Cluster().set(70, 3).fault(), "snapshot offset"));
  CHECK(says(Cluster().set(79, 1).fault(), "not closed"));
  CHECK(says(Cluster().set(79, 2).fault(), "corrupt"));
  CHECK(says(Cluster().set(79, 4).fault(), "another file"));
  CHECK(says(Cluster().set(79, 8).fault(), "incompatible features"));
  CHECK(says(Cluster().set(72, 1).fault(), "incompatible features"));
  CHECK(says(Cluster().set(87, 1).fault(), "set of compatible features"));
  CHECK(says(Cluster().set(95, 2).fault(), "autoclear features"));
  CHECK(says(Cluster().set(99, 3).fault(), "refcount order"));
  CHECK(says(Cluster().set(103, 104).fault(), "header length"));
  CHECK(says(Cluster().set(104, 1).fault(), "compression type"));
}

TEST_CASE("S15 a size that no image can have is refused") {
  CHECK(says(Cluster(0).fault(), "says that it has 0 bytes"));
  CHECK(says(Cluster(MAX_VOLUME_BYTES + MEBIBYTE).fault(), "the limit is 17592186044416"));
  CHECK(says(Cluster(~0ull).fault(), "the limit is"));
  CHECK(says(Cluster(MEBIBYTE + 1).fault(), "says that it has 1048577 bytes"));
}

TEST_CASE("S15 of header extensions only ours and QEMU's names of features are taken") {
  CHECK(says(Cluster().extend(FEATURE_NAMES, 96).fault(), "none"));
  CHECK(says(Cluster().extend(0x44415441, 8).fault(), "another file"));
  CHECK(says(Cluster().extend(0xe2792aca, 5).fault(), "backing file"));
  CHECK(says(Cluster().extend(0x23852875, 24).fault(), "0x23852875"));
  // Ours twice, elsewhere, of another length, and not at all.
  auto twice = Cluster().extend(0x0537be77, 16);
  memcpy(twice.bytes.begin() + Cluster::EXTENSIONS_END, twice.bytes.begin() + 112, 24);
  CHECK(says(twice.fault(), "another place of its LUKS"));
  CHECK(says(Cluster().set(125, 9).fault(), "another place of its LUKS"));
  CHECK(says(Cluster().set(133, 0x1f).fault(), "another place of its LUKS"));
  CHECK(says(Cluster().set(119, 15).fault(), "another place of its LUKS"));
  Cluster none;
  memset(none.bytes.begin() + 112, 0, 24);
  CHECK(says(none.fault(), "lost the place of its LUKS"));
}

TEST_CASE("S15 header extensions without an end are refused") {
  for (uint32_t length : {0x7fffffffu, 0xffffffffu, 0xfffffff8u, uint32_t(CLUSTER_BYTES)}) {
    CHECK(says(Cluster().extend(FEATURE_NAMES, length).fault(), "without an end"));
  }
  // The last one ends where the cluster does, or is cut off there.
  uint32_t room = CLUSTER_BYTES - Cluster::EXTENSIONS_END - 8;
  for (uint32_t length : {room, room - 1, room - 8 + 1}) {
    CHECK(says(Cluster().extend(FEATURE_NAMES, length).fault(), "without an end"));
  }
  CHECK(says(Cluster().extend(FEATURE_NAMES, room - 8).fault(), "none"));
}

TEST_CASE("an image whose header is zero was destroyed in part") {
  Cluster cluster;
  memset(cluster.bytes.begin(), 0, CLUSTER_BYTES);
  CHECK(says(cluster.fault(), "destroyed in part"));
}

}  // namespace
}  // namespace bothy
