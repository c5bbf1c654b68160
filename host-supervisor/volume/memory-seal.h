#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/string.h>

#include "secret/secret.h"

namespace bothy {

// Writes the 32 bytes that only who has the key can make of a message to `code`.  Any thread.
using MessageCode = void (*)(kj::ArrayPtr<const kj::byte> message, const Secret& key,
                             kj::ArrayPtr<kj::byte> code);

// Of which sleep something is: a number that nobody without the key can put in its place, in the padding behind the last key slot of its
// LUKS area, which neither QEMU nor libcryptsetup uses.
constexpr uint64_t SEAL_BYTES = 48;
// From the beginning of the area.
uint64_t sealOffset();

enum class Sealed : uint8_t { DISK = 1, MEMORY = 2 };

kj::Array<kj::byte> newSeal(MessageCode code, Sealed what, kj::StringPtr id, uint64_t generation,
                            const Secret& key);

// nullptr: it is no seal of that, made with that key.
kj::Maybe<uint64_t> generationOf(MessageCode code, kj::ArrayPtr<const kj::byte> seal, Sealed what,
                                 kj::StringPtr id, const Secret& key);

}  // namespace bothy
