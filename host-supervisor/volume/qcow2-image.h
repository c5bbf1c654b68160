#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// The images that this program makes: qcow2, version 3, encrypted with LUKS, as QEMU's
// docs/interop/qcow2.rst describes them.  All that is not the guest's data lies at fixed places, see README.md.

constexpr uint64_t CLUSTER_BYTES = 64 * 1024;

// The L1 table reaches as far from the beginning, so that an image grows by a write of one number.
constexpr uint64_t MAX_VOLUME_BYTES = 16ull << 40;

// Where the LUKS header and its key slots are.
constexpr uint64_t LUKS_AREA_OFFSET = 8 * CLUSTER_BYTES;
constexpr uint64_t LUKS_AREA_BYTES = 2 * 1024 * 1024;

// What an empty image has on the host.
constexpr uint64_t HEAD_BYTES = LUKS_AREA_OFFSET + LUKS_AREA_BYTES;

// Where the header says how large the guest's disk is: 8 bytes, big-endian.
constexpr uint64_t GUEST_BYTES_OFFSET = 24;

// Bytes of a file.
struct Piece {
  uint64_t offset;
  kj::Array<kj::byte> content;
};

// An empty image whose guest sees `guestBytes`, without the LUKS area: all else before HEAD_BYTES is zero.
kj::Array<Piece> emptyImage(uint64_t guestBytes);

// The number at GUEST_BYTES_OFFSET.
kj::Array<kj::byte> guestBytesField(uint64_t guestBytes);

// What is wrong, as the end of "...: it", with an image's first cluster, unless it is such as emptyImage() makes
// for a size within the limit, or QEMU leaves of that.
kj::Maybe<kj::String> imageFault(kj::ArrayPtr<const kj::byte> firstCluster);

// How large the guest's disk is, as the first cluster says.
uint64_t guestBytesOf(kj::ArrayPtr<const kj::byte> firstCluster);

}  // namespace bothy
