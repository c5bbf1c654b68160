#pragma once

#include <kj/array.h>
#include <kj/vector.h>

#include "vm/vm-driver.h"

namespace bothy {

// What a machine's console said last, in memory, since what it said may come late to its file: at least CONSOLE_END_BYTES of it, or all.
class ConsoleTail final {
public:
  ConsoleTail() = default;
  KJ_DISALLOW_COPY_AND_MOVE(ConsoleTail);

  void add(kj::ArrayPtr<const kj::byte> said);
  // Before all that was added.
  void precede(kj::ArrayPtr<const kj::byte> earlier);
  // The last CONSOLE_END_BYTES; empty as long as the machine has said nothing.
  kj::Array<kj::byte> end() const;

private:
  kj::Vector<kj::byte> bytes;
};

}  // namespace bothy
