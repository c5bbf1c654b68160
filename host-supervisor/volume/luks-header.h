#pragma once

#include <stddef.h>
#include <stdint.h>

#include <kj/array.h>
#include <kj/string.h>

#include "secret/secret.h"

namespace bothy {

// LUKS, version 1, as cryptsetup's docs/on-disk-format.pdf describes it: aes-xts-plain64 with a random volume
// key of 512 bits, which one key slot keeps.

// A new header with its key slots, LUKS_AREA_BYTES, that opens with the hexadecimal digits of `key`.  The key
// must be random: the passphrase is stretched by PBKDF2_ITERATIONS only.
kj::Array<kj::byte> newLuksArea(const Secret& key);

// What the beginning of such a header takes.
constexpr size_t LUKS_HEADER_BYTES = 592;

// What is wrong, as the end of "...: it", with a header, unless it is such as newLuksArea() makes.  Reads the first
// LUKS_HEADER_BYTES.  Whether it still is the one of this volume, nobody can tell without the key.
kj::Maybe<kj::String> luksFault(kj::ArrayPtr<const kj::byte> header);

// The least that LUKS allows.  A passphrase of 256 random bits gains nothing by more.
constexpr uint32_t PBKDF2_ITERATIONS = 1000;

}  // namespace bothy
