#include "volume/qcow2-image.h"

#include <kj/debug.h>

#include <algorithm>

#include "volume/big-endian.h"
#include "volume/volume-store.h"

namespace bothy {
namespace {

constexpr kj::StringPtr MAGIC = "QFI\xfb"_kj;
constexpr uint32_t VERSION = 3;
constexpr uint32_t CLUSTER_BITS = 16;
constexpr uint32_t CRYPT_METHOD_LUKS = 2;
constexpr uint32_t REFCOUNT_ORDER = 4;  // 16 bits each
constexpr uint64_t SECTOR_BYTES = 512;

// Two clusters of this table reach 32 TiB of the file: more than the largest disk with its tables takes.  If
// it were too short, QEMU would move it to another place one day.
constexpr uint64_t REFCOUNT_TABLE_OFFSET = 1 * CLUSTER_BYTES;
constexpr uint32_t REFCOUNT_TABLE_CLUSTERS = 2;
constexpr uint64_t REFCOUNT_BLOCK_OFFSET = 3 * CLUSTER_BYTES;

// An entry is an L2 table of 8192 clusters, 512 MiB.
constexpr uint64_t L1_OFFSET = 4 * CLUSTER_BYTES;
constexpr uint64_t BYTES_PER_L1_ENTRY = (CLUSTER_BYTES / 8) * CLUSTER_BYTES;
constexpr uint64_t L1_ENTRIES_PER_CLUSTER = CLUSTER_BYTES / 8;
// What has more has the whole table from the beginning.
constexpr uint64_t MOST_BYTES_OF_ONE_L1_CLUSTER = L1_ENTRIES_PER_CLUSTER * BYTES_PER_L1_ENTRY;
static_assert(MOST_BYTES_OF_ONE_L1_CLUSTER == MAX_GROWN_VOLUME_BYTES);
constexpr uint32_t MOST_L1_ENTRIES = 32768;
static_assert(MOST_L1_ENTRIES * BYTES_PER_L1_ENTRY == MAX_VOLUME_BYTES);
static_assert(L1_OFFSET + MOST_L1_ENTRIES * 8 == LUKS_AREA_OFFSET);
static_assert(HEAD_BYTES % CLUSTER_BYTES == 0);

constexpr uint64_t DIRTY = 1 << 0;
constexpr uint64_t CORRUPT = 1 << 1;
constexpr uint64_t DATA_FILE = 1 << 2;

constexpr uint32_t NO_MORE_EXTENSIONS = 0;
constexpr uint32_t CRYPTO_EXTENSION = 0x0537be77;
constexpr uint32_t FEATURE_NAMES_EXTENSION = 0x6803f857;
constexpr uint32_t BACKING_FORMAT_EXTENSION = 0xe2792aca;
constexpr uint32_t DATA_FILE_EXTENSION = 0x44415441;

struct Header {
  kj::byte magic[4];
  BigEndian<uint32_t> version;
  BigEndian<uint64_t> backingFileOffset;
  BigEndian<uint32_t> backingFileBytes;
  BigEndian<uint32_t> clusterBits;
  BigEndian<uint64_t> guestBytes;
  BigEndian<uint32_t> cryptMethod;
  BigEndian<uint32_t> l1Entries;
  BigEndian<uint64_t> l1Offset;
  BigEndian<uint64_t> refcountTableOffset;
  BigEndian<uint32_t> refcountTableClusters;
  BigEndian<uint32_t> snapshotCount;
  BigEndian<uint64_t> snapshotsOffset;
  BigEndian<uint64_t> incompatibleFeatures;
  BigEndian<uint64_t> compatibleFeatures;
  BigEndian<uint64_t> autoclearFeatures;
  BigEndian<uint32_t> refcountOrder;
  BigEndian<uint32_t> headerBytes;
  BigEndian<uint64_t> compression;  // one byte and padding
};
static_assert(sizeof(Header) == 112);
static_assert(offsetof(Header, guestBytes) == GUEST_BYTES_OFFSET);
static_assert(offsetof(Header, l1Offset) == GUEST_BYTES_OFFSET + SIZE_FIELDS_BYTES);

struct ExtensionHead {
  BigEndian<uint32_t> type;
  BigEndian<uint32_t> bytes;
};
struct CryptoExtension {
  BigEndian<uint64_t> offset;
  BigEndian<uint64_t> bytes;
};

// What precedes the zeros of the first cluster.
struct FirstCluster {
  Header header;
  ExtensionHead cryptoHead;
  CryptoExtension crypto;
  ExtensionHead end;
};

bool hasWholeL1(uint64_t guestBytes) {
  return guestBytes > MOST_BYTES_OF_ONE_L1_CLUSTER;
}

// No more than it needs: QEMU looks through all of them at each write.
uint32_t l1Entries(uint64_t guestBytes) {
  if (hasWholeL1(guestBytes)) return MOST_L1_ENTRIES;
  return (guestBytes + BYTES_PER_L1_ENTRY - 1) / BYTES_PER_L1_ENTRY;
}

Header newHeader(uint64_t guestBytes) {
  Header header{};
  memcpy(header.magic, MAGIC.begin(), sizeof(header.magic));
  header.version = VERSION;
  header.clusterBits = CLUSTER_BITS;
  header.guestBytes = guestBytes;
  header.cryptMethod = CRYPT_METHOD_LUKS;
  header.l1Entries = l1Entries(guestBytes);
  header.l1Offset = L1_OFFSET;
  header.refcountTableOffset = REFCOUNT_TABLE_OFFSET;
  header.refcountTableClusters = REFCOUNT_TABLE_CLUSTERS;
  header.refcountOrder = REFCOUNT_ORDER;
  header.headerBytes = sizeof(Header);
  return header;
}

CryptoExtension newCryptoExtension() {
  CryptoExtension crypto;
  crypto.offset = LUKS_AREA_OFFSET;
  crypto.bytes = LUKS_AREA_BYTES;
  return crypto;
}

template <typename Layout>
Piece pieceAt(uint64_t offset, const Layout& layout) {
  return {offset, kj::heapArray(bytesOf(layout))};
}

// What would make QEMU open another file, or read this one other than as ours.
kj::Maybe<kj::String> featureFault(const Header& header) {
  if (header.backingFileOffset.get() != 0 || header.backingFileBytes.get() != 0) {
    return kj::str("names a backing file");
  }
  auto features = header.incompatibleFeatures.get();
  if (features & DATA_FILE) return kj::str("has its data in another file");
  if (features & CORRUPT) {
    return kj::str("was marked as corrupt by QEMU: look at it with qemu-img check");
  }
  if (features & DIRTY) {
    return kj::str("is marked as not closed, which needs lazy refcounts: they are never used here");
  }
  if (header.snapshotCount.get() != 0) {
    return kj::str("has ", header.snapshotCount.get(), " snapshots inside");
  }
  if (header.cryptMethod.get() != CRYPT_METHOD_LUKS) {
    return kj::str("is not encrypted with LUKS: its encryption method is ",
                   header.cryptMethod.get());
  }
  return nullptr;
}

kj::Maybe<kj::String> fieldFault(const Header& found) {
  auto ours = newHeader(found.guestBytes.get());
  struct Field {
    kj::StringPtr name;
    uint64_t found, ours;
  };
  Field fields[] = {
      {"version", found.version.get(), ours.version.get()},
      {"cluster bits", found.clusterBits.get(), ours.clusterBits.get()},
      {"number of L1 entries", found.l1Entries.get(), ours.l1Entries.get()},
      {"L1 offset", found.l1Offset.get(), ours.l1Offset.get()},
      {"refcount table offset", found.refcountTableOffset.get(), ours.refcountTableOffset.get()},
      {"number of refcount table clusters", found.refcountTableClusters.get(),
       ours.refcountTableClusters.get()},
      {"snapshot offset", found.snapshotsOffset.get(), ours.snapshotsOffset.get()},
      {"set of incompatible features", found.incompatibleFeatures.get(),
       ours.incompatibleFeatures.get()},
      {"set of compatible features", found.compatibleFeatures.get(), ours.compatibleFeatures.get()},
      {"set of autoclear features", found.autoclearFeatures.get(), ours.autoclearFeatures.get()},
      {"refcount order", found.refcountOrder.get(), ours.refcountOrder.get()},
      {"header length", found.headerBytes.get(), ours.headerBytes.get()},
      {"compression type", found.compression.get(), ours.compression.get()},
  };
  for (auto& field : fields) {
    if (field.found != field.ours) {
      return kj::str("has another ", field.name, " than it was made with: ", field.found,
                     " and not ", field.ours);
    }
  }
  return nullptr;
}

kj::Maybe<kj::String> extensionFault(kj::ArrayPtr<const kj::byte> cluster) {
  bool hasCrypto = false;
  for (size_t offset = sizeof(Header); offset + sizeof(ExtensionHead) <= cluster.size();) {
    auto head = layoutAt<ExtensionHead>(cluster, offset);
    offset += sizeof(head);
    if (head.type.get() == NO_MORE_EXTENSIONS) {
      if (!hasCrypto) return kj::str("has lost the place of its LUKS header");
      return nullptr;
    }
    auto content = cluster.slice(offset, cluster.size());
    if (head.bytes.get() > content.size()) break;
    switch (head.type.get()) {
      case CRYPTO_EXTENSION:
        if (content.slice(0, head.bytes.get()) != bytesOf(newCryptoExtension()) || hasCrypto) {
          return kj::str("has another place of its LUKS header than it was made with");
        }
        hasCrypto = true;
        break;
      case FEATURE_NAMES_EXTENSION:
        break;  // QEMU puts it in when it writes a header: names for people
      case DATA_FILE_EXTENSION:
        return kj::str("has its data in another file");
      case BACKING_FORMAT_EXTENSION:
        return kj::str("names the format of a backing file");
      default:
        return kj::str("has a header extension that it was not made with: 0x",
                       kj::hex(head.type.get()));
    }
    offset += (size_t(head.bytes.get()) + 7) / 8 * 8;
  }
  return kj::str("has header extensions without an end");
}

}  // namespace

kj::Array<Piece> emptyImage(uint64_t guestBytes) {
  FirstCluster first{};
  first.header = newHeader(guestBytes);
  first.cryptoHead.type = CRYPTO_EXTENSION;
  first.cryptoHead.bytes = sizeof(CryptoExtension);
  first.crypto = newCryptoExtension();

  BigEndian<uint64_t> block;
  block = REFCOUNT_BLOCK_OFFSET;
  BigEndian<uint16_t> refcounts[HEAD_BYTES / CLUSTER_BYTES];
  for (auto& refcount : refcounts) refcount = 1;
  if (!hasWholeL1(guestBytes)) {
    // The table is one cluster, and the data has the rest of its room.
    for (auto i = L1_OFFSET / CLUSTER_BYTES + 1; i < LUKS_AREA_OFFSET / CLUSTER_BYTES; i++) {
      refcounts[i] = 0;
    }
  }

  return kj::arr(pieceAt(0, first), pieceAt(REFCOUNT_TABLE_OFFSET, block),
                 pieceAt(REFCOUNT_BLOCK_OFFSET, refcounts));
}

kj::Array<kj::byte> sizeFields(uint64_t guestBytes) {
  auto header = newHeader(guestBytes);
  return kj::heapArray(
      bytesOf(header).slice(GUEST_BYTES_OFFSET, GUEST_BYTES_OFFSET + SIZE_FIELDS_BYTES));
}

bool growsByFields(uint64_t guestBytes, uint64_t largerGuestBytes) {
  return hasWholeL1(guestBytes) == hasWholeL1(largerGuestBytes);
}

kj::Maybe<kj::String> imageFault(kj::ArrayPtr<const kj::byte> firstCluster) {
  KJ_REQUIRE(firstCluster.size() == CLUSTER_BYTES);
  auto header = layoutAt<Header>(firstCluster);
  auto bytes = bytesOf(header);
  if (std::all_of(bytes.begin(), bytes.end(), [](kj::byte byte) { return byte == 0; })) {
    return kj::str("has no header any more: it was destroyed in part");
  }
  if (memcmp(header.magic, MAGIC.begin(), sizeof(header.magic)) != 0)
    return kj::str("is no qcow2 image");
  KJ_IF_MAYBE (fault, featureFault(header)) {
    return kj::mv(*fault);
  }
  KJ_IF_MAYBE (fault, fieldFault(header)) {
    return kj::mv(*fault);
  }
  uint64_t guestBytes = header.guestBytes.get();
  if (guestBytes == 0 || guestBytes > MAX_VOLUME_BYTES || guestBytes % SECTOR_BYTES != 0) {
    return kj::str("says that it has ", guestBytes, " bytes; the limit is ", MAX_VOLUME_BYTES);
  }
  return extensionFault(firstCluster);
}

uint64_t guestBytesOf(kj::ArrayPtr<const kj::byte> firstCluster) {
  return layoutAt<Header>(firstCluster).guestBytes.get();
}

}  // namespace bothy
