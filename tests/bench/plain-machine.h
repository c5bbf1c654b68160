#pragma once

#include <kj/refcount.h>
#include <kj/string.h>

#include "vm/libvirt-session.h"

namespace bothy {

// A machine of libvirt's with the guest kernel, the processors and the memory of a workspace, and nothing else of ours: its memory is
// saved to a plain file and comes back from it.  One in the life of a process, and all by the thread that makes it.
class PlainMachine final {
public:
  // Its files are in `directory`, which is there.
  PlainMachine(kj::StringPtr directory, uint32_t memoryMib);
  ~PlainMachine() noexcept;
  KJ_DISALLOW_COPY_AND_MOVE(PlainMachine);

  // Another one, which has filled so much of its memory and runs.
  void begin(uint32_t touchedMib);
  // How long it takes until it is gone, and until it has said something again.
  double saveMillis();
  double restoreMillis();

private:
  const kj::String directory;
  const uint32_t memoryMib;
  kj::String initramfs;
  kj::String xml;
  kj::Maybe<kj::Own<const LibvirtSession>> session;
  kj::Own<const LibvirtEventBox> box;

  const LibvirtSession& libvirt() { return *KJ_ASSERT_NONNULL(session); }
  kj::String console() const { return kj::str(directory, "/console"); }
  kj::String memory() const { return kj::str(directory, "/memory"); }
  // Until the console has that since it was opened last.
  void awaitWord(kj::StringPtr word);
};

}  // namespace bothy
