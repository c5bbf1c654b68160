#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// What the first bytes of a program's file say, as the kernel reads them.  The file is a user's: whatever it holds, the
// texts are free of NUL and lie within it.

// What runs the file: of its "#!" line, or the loader of an ELF program.  Empty if it names none.
kj::String interpreterOf(kj::ArrayPtr<const kj::byte> head);

// The processor that an ELF file is for, if it is another than ours: "aarch64".  Else empty.
kj::String foreignProcessor(kj::ArrayPtr<const kj::byte> head);

}  // namespace bothy
