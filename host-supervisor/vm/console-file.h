#pragma once

#include <kj/array.h>
#include <kj/memory.h>
#include <kj/string.h>

#include <atomic>
#include <cstdint>

namespace bothy {

// Where it is kept what a machine's console said.  The bytes are the guest's: whoever shows them escapes them.
class ConsoleFile {
public:
  // Takes as long as the disk does.  On a full disk what does not fit is lost, as by lose().
  virtual void append(kj::ArrayPtr<const kj::byte> bytes) = 0;
  // So many bytes are missing in this place: the file says so as soon as there is room.
  virtual void lose(uint64_t bytes) = 0;
  // Its last CONSOLE_END_BYTES; empty if it cannot be read.
  virtual kj::Array<kj::byte> end() = 0;
};

// The file `path`, which is made where it is missing, mode 0600; takes as long as the disk does.  At no time it is larger than
// CONSOLE_LIMIT_BYTES (S09): before it would grow beyond, its older half goes.
kj::Own<ConsoleFile> newConsoleFile(kj::StringPtr path);

struct OpenConsoleFile {
  kj::Own<ConsoleFile> file;
  kj::Array<kj::byte> end;  // ConsoleFile::end(), from before anything was written to it
};

// Opens it for whoever sets `isWithdrawn` when he leaves.  It leaves no file that it has made for nobody: who removed the machine's files
// since did not find it.
OpenConsoleFile openConsoleFile(kj::StringPtr path, const std::atomic<bool>& isWithdrawn);

}  // namespace bothy
