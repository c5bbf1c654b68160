#pragma once

#include <kj/io.h>
#include <kj/string.h>
#include <kj/time.h>
#include <kj/vector.h>
#include <sys/types.h>

#include <cstdint>

namespace bothy {

// A real QEMU with the accelerator, the guest kernel and the processors that a workspace gets here, a program of our
// choice as its init and nothing else of ours.  Its end is the object's, or the bench's, whichever comes first.
class FloorMachine final {
public:
  // Starts it.  `initramfs` is of makeFloorInitramfs(); `arguments` are QEMU's, and come after those of every such
  // machine.  It is waited for no longer than `limit` from now.
  FloorMachine(kj::StringPtr initramfs, uint32_t memoryMib, kj::Duration limit,
               kj::ArrayPtr<const kj::StringPtr> arguments = nullptr);
  ~FloorMachine() noexcept;
  KJ_DISALLOW_COPY_AND_MOVE(FloorMachine);

  // The next line of its console, or of QEMU's complaints, without its end.  Fails with what was said last when QEMU
  // ends, or when the limit is over.
  kj::String readLine();

private:
  kj::TimePoint deadline;
  kj::AutoCloseFd console;
  pid_t pid;
  kj::Vector<char> said;
  size_t taken = 0;  // of `said`, by readLine()

  void receive();
  kj::String lastWords() const;
};

// Makes an initramfs in the directory whose init is the static program at `init`; returns its path.
kj::String makeFloorInitramfs(kj::StringPtr directory, kj::StringPtr init);

// More than any such guest says.
constexpr size_t MOST_CONSOLE_BYTES = 1024 * 1024;

}  // namespace bothy
