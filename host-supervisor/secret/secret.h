#pragma once

#include <kj/array.h>
#include <kj/common.h>

namespace bothy {

// Bytes that must not leave this process's memory: they lie in pages of their own that are locked
// (mlock(2)), left out of core dumps and child processes (madvise(2)), and wiped when the object goes.
// There is no text form, on purpose: a secret that is logged does not compile.
class Secret final {
public:
  // `size` bytes of zero, 1..MAX_SECRET_BYTES.  Throws if the memory cannot be locked.
  explicit Secret(size_t size);
  Secret(Secret&& other);
  Secret& operator=(Secret&& other);
  ~Secret() noexcept(false);
  KJ_DISALLOW_COPY(Secret);

  Secret clone() const;

  kj::ArrayPtr<kj::byte> bytes() { return content; }
  kj::ArrayPtr<const kj::byte> bytes() const { return content; }

private:
  kj::ArrayPtr<kj::byte> content;

  void release();
};

constexpr size_t MAX_SECRET_BYTES = 64 * 1024;

// The secret as lower-case hexadecimal digits, twice its size, for what takes text only (libvirt, QEMU and
// LUKS take a passphrase in UTF-8).  A secret itself.
Secret hexadecimal(const Secret& secret);

}  // namespace bothy
