#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// Why these bytes cannot be `/init` of an initramfs that holds nothing else, or nothing if they can: a
// whole x86-64 ELF program that needs no interpreter.
kj::Maybe<kj::StringPtr> agentFault(kj::ArrayPtr<const kj::byte> program);

}  // namespace bothy
