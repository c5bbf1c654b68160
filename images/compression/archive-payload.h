#pragma once

#include <stdint.h>

#include <kj/array.h>

namespace bothy {

// What was packed into `packed` by gzip, bzip2, lzma, xz, lz4 (also the kernel's old form of it) or zstd, known by
// their first bytes.  Throws FAILED if it is none of them, if it is damaged, or if more than `maxBytes` come out.
kj::Array<const kj::byte> unpackPayload(kj::ArrayPtr<const kj::byte> packed, uint64_t maxBytes);

}  // namespace bothy
