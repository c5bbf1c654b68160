#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// The images that this program makes: qcow2, version 3, encrypted with LUKS, as QEMU's
// docs/interop/qcow2.rst describes them.  All that is not the guest's data lies at fixed places, see README.md.

constexpr uint64_t CLUSTER_BYTES = 64 * 1024;

constexpr uint64_t MAX_VOLUME_BYTES = 16ull << 40;

// Where the LUKS header and its key slots are.
constexpr uint64_t LUKS_AREA_OFFSET = 8 * CLUSTER_BYTES;
constexpr uint64_t LUKS_AREA_BYTES = 2 * 1024 * 1024;

// What an empty image has on the host.
constexpr uint64_t HEAD_BYTES = LUKS_AREA_OFFSET + LUKS_AREA_BYTES;

// Where the header says how large the guest's disk is (8 bytes, big-endian), how it is encrypted (4) and how many
// entries the L1 table has (4).
constexpr uint64_t GUEST_BYTES_OFFSET = 24;
constexpr uint64_t SIZE_FIELDS_BYTES = 16;

// Bytes of a file.
struct Piece {
  uint64_t offset;
  kj::Array<kj::byte> content;
};

// An empty image whose guest sees `guestBytes`, without the LUKS area: all else before HEAD_BYTES is zero.
kj::Array<Piece> emptyImage(uint64_t guestBytes);

// The SIZE_FIELDS_BYTES at GUEST_BYTES_OFFSET.
kj::Array<kj::byte> sizeFields(uint64_t guestBytes);

// Whether an image of the one size can be made one of the other by its size fields alone: the room of the L1 table is
// that of its beginning.
bool growsByFields(uint64_t guestBytes, uint64_t largerGuestBytes);

// What is wrong, as the end of "...: it", with an image's first cluster, unless it is such as emptyImage() makes
// for a size within the limit, or QEMU leaves of that.
kj::Maybe<kj::String> imageFault(kj::ArrayPtr<const kj::byte> firstCluster);

// How large the guest's disk is, as the first cluster says.
uint64_t guestBytesOf(kj::ArrayPtr<const kj::byte> firstCluster);

}  // namespace bothy
