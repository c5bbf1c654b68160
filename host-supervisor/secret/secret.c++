#include "secret/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kj/debug.h>

#include <utility>

namespace bothy {
namespace {

size_t wholePages(size_t size) {
  size_t page = sysconf(_SC_PAGESIZE);
  return (size + page - 1) / page * page;
}

}  // namespace

Secret::Secret(size_t size) {
  KJ_REQUIRE(size > 0 && size <= MAX_SECRET_BYTES, "a secret has 1 to 65536 bytes", size);
  size_t length = wholePages(size);
  void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) KJ_FAIL_SYSCALL("mmap", errno, length);
  KJ_ON_SCOPE_FAILURE(munmap(memory, length));
  KJ_SYSCALL(mlock(memory, length), "memory for a secret cannot be locked: raise RLIMIT_MEMLOCK");
  KJ_SYSCALL(madvise(memory, length, MADV_DONTDUMP));
  KJ_SYSCALL(madvise(memory, length, MADV_WIPEONFORK));
  content = kj::arrayPtr(static_cast<kj::byte*>(memory), size);
}

Secret::Secret(Secret&& other) : content(std::exchange(other.content, nullptr)) {}

Secret& Secret::operator=(Secret&& other) {
  if (this != &other) {
    release();
    content = std::exchange(other.content, nullptr);
  }
  return *this;
}

Secret::~Secret() noexcept(false) {
  release();
}

void Secret::release() {
  if (content == nullptr) return;
  size_t length = wholePages(content.size());
  explicit_bzero(content.begin(), length);
  munmap(content.begin(), length);
  content = nullptr;
}

Secret Secret::clone() const {
  Secret copy(content.size());
  memcpy(copy.content.begin(), content.begin(), content.size());
  return copy;
}

Secret hexadecimal(const Secret& secret) {
  constexpr char DIGITS[] = "0123456789abcdef";
  Secret text(secret.bytes().size() * 2);
  auto next = text.bytes().begin();
  for (auto byte : secret.bytes()) {
    *next++ = DIGITS[byte >> 4];
    *next++ = DIGITS[byte & 15];
  }
  return text;
}

}  // namespace bothy
