#pragma once

#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "tree/test-directory.h"
#include "volume/qcow2-image.h"
#include "volume/volume-directory.h"

namespace bothy {

constexpr uint64_t MEBIBYTE = 1024 * 1024;
constexpr kj::StringPtr ID = "0123456789abcdef0123456789abcdef"_kj;
// Below the world's directory.
constexpr kj::StringPtr FINISHED = "volumes/0123456789abcdef0123456789abcdef.qcow2"_kj;
constexpr kj::StringPtr UNFINISHED = "volumes/0123456789abcdef0123456789abcdef.qcow2.new"_kj;

// A key of 32 bytes, another one for each seed.
inline Secret testKey(uint8_t seed = 1) {
  Secret key(32);
  for (size_t i = 0; i < 32; ++i) key.bytes()[i] = uint8_t(seed * 59 + i * 31);
  return key;
}

// What a call that must fail says.
template <typename Function>
kj::Exception failureOf(Function&& function) {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { function(); })) {
    return kj::mv(*exception);
  }
  FAIL("it did not fail");
  KJ_UNREACHABLE;
}

inline bool says(kj::StringPtr text, kj::StringPtr part) {
  UNSCOPED_INFO("it says: " << text.cStr());
  return strstr(text.cStr(), part.cStr()) != nullptr;
}
inline bool says(const kj::Exception& exception, kj::StringPtr part) {
  return says(exception.getDescription(), part);
}

inline bool contains(kj::ArrayPtr<const kj::byte> content, kj::ArrayPtr<const kj::byte> part) {
  return memmem(content.begin(), content.size(), part.begin(), part.size()) != nullptr;
}

inline bool isZero(kj::ArrayPtr<const kj::byte> content) {
  for (auto byte : content) {
    if (byte != 0) return false;
  }
  return true;
}

inline kj::AutoCloseFd openToWrite(kj::StringPtr path) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), path);
  return kj::AutoCloseFd(fd);
}

// Fewer bytes where the file ends.
inline kj::Array<kj::byte> readAt(int fd, uint64_t offset, size_t count) {
  auto content = kj::heapArray<kj::byte>(count);
  ssize_t got;
  KJ_SYSCALL(got = pread(fd, content.begin(), count, offset));
  return kj::heapArray(content.slice(0, got).asConst());
}

inline void writeAt(int fd, uint64_t offset, kj::ArrayPtr<const kj::byte> content) {
  ssize_t count;
  KJ_SYSCALL(count = pwrite(fd, content.begin(), content.size(), offset));
  KJ_ASSERT(size_t(count) == content.size());
}

inline kj::Array<kj::byte> zeros(size_t count) {
  auto result = kj::heapArray<kj::byte>(count);
  memset(result.begin(), 0, count);
  return result;
}

// As short as it may be: each byte of the key and the message counts, in 32 bytes of code.
inline void testCode(kj::ArrayPtr<const kj::byte> message, const Secret& key,
                     kj::ArrayPtr<kj::byte> code) {
  uint64_t digest = 0xcbf29ce484222325;
  auto add = [&](kj::byte byte) { digest = (digest ^ byte) * 0x100000001b3; };
  for (auto& out : code) {
    for (auto byte : key.bytes()) add(byte);
    for (auto byte : message) add(byte);
    out = static_cast<kj::byte>(digest >> 32);
  }
}

// A directory of volumes, and the volume ID in it.
struct VolumeWorld {
  TestDirectory directory;
  kj::Own<VolumeDirectory> volumes = kj::atomicRefcounted<VolumeDirectory>(directory.at("volumes"));

  void create(uint64_t bytes = 64 * MEBIBYTE, uint8_t keySeed = 1) {
    volumes->create(ID, bytes, testKey(keySeed));
  }
  kj::AutoCloseFd open() const { return openToWrite(directory.at(FINISHED)); }
  kj::Array<kj::byte> content() const { return readAt(open(), 0, status().st_size); }
  struct stat status() const { return directory.status(FINISHED); }
  bool isEmpty() const { return directory.count() == 1; }
};

}  // namespace bothy
