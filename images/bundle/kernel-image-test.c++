#include "bundle/kernel-image.h"

#include <string.h>

#include <kj/exception.h>
#include <catch2/catch_test_macros.hpp>

#include "bundle/test-kernel.h"

namespace bothy {
namespace {

// "vmlinux\n", packed; gzip ends with the length, to others the kernel's build appends it.
constexpr kj::byte GZIP[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                             0x2b, 0xcb, 0xcd, 0xc9, 0xcc, 0x2b, 0xad, 0xe0, 0x02, 0x00,
                             0x2d, 0x80, 0x98, 0x80, 0x08, 0x00, 0x00, 0x00};
constexpr kj::byte ZSTD[] = {0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x41, 0x00, 0x00,
                             0x76, 0x6d, 0x6c, 0x69, 0x6e, 0x75, 0x78, 0x0a, 0x60,
                             0xc0, 0x0a, 0x2b, 0x08, 0x00, 0x00, 0x00};

struct BzImage {
  kj::Array<kj::byte> bytes;

  explicit BzImage(kj::ArrayPtr<const kj::byte> payload = GZIP)
      : bytes(kj::heapArray<kj::byte>(0x600 + payload.size())) {
    memset(bytes.begin(), 0, bytes.size());
    bytes[0x1f1] = 1;  // a sector of set-up code behind the boot sector
    memcpy(bytes.begin() + 0x202, "HdrS", 4);
    put<uint16_t>(0x206, 0x020f);
    put<uint32_t>(0x248, 0x200);
    put<uint32_t>(0x24c, payload.size());
    memcpy(bytes.begin() + 0x600, payload.begin(), payload.size());
  }

  template <typename Number>
  void put(size_t at, Number number) {
    memcpy(bytes.begin() + at, &number, sizeof(number));
  }

  kj::String vmlinux() {
    auto found = vmlinuxIn(bytes);
    KJ_IF_MAYBE (content, found) return kj::heapString(content->asChars());
    return kj::str("none");
  }
};

TEST_CASE("the vmlinux of a bzImage is taken out") {
  CHECK(BzImage(GZIP).vmlinux() == "vmlinux\n");
  CHECK(BzImage(ZSTD).vmlinux() == "vmlinux\n");
}

TEST_CASE("a file that is no bzImage is left as it is") {
  CHECK(vmlinuxIn("\x7f"
                  "ELF"_kj.asBytes()) == nullptr);
  CHECK(vmlinuxIn(testVmlinux("6.12.1")) == nullptr);
}

TEST_CASE("a bzImage that is cut off, damaged or too old is refused") {
  BzImage whole;
  CHECK_THROWS_AS(vmlinuxIn(whole.bytes.slice(0, whole.bytes.size() - 1)), kj::Exception);

  BzImage longer;
  longer.bytes[longer.bytes.size() - 4] += 1;
  CHECK_THROWS_AS(longer.vmlinux(), kj::Exception);

  BzImage unpackable;
  memset(unpackable.bytes.begin() + 0x600, 'x', 10);
  CHECK_THROWS_AS(unpackable.vmlinux(), kj::Exception);

  BzImage old;
  old.put<uint16_t>(0x206, 0x0207);
  CHECK_THROWS_AS(old.vmlinux(), kj::Exception);
}

TEST_CASE("a vmlinux without the entry for PVH is told from one that has it") {
  constexpr Elf64_Word OTHER_NOTE = 17;
  auto kernel = testVmlinux("6.12.1");
  CHECK(isBootable(kernel));
  CHECK(!isBootable(testVmlinux("6.12.1", OTHER_NOTE)));
  CHECK(!isBootable("Linux version 6.12.1 (x)"_kj.asBytes()));
  // The banner behind the notes is not needed for this.
  auto needed = kernel.size() - strlen("Linux version 6.12.1 (x)");
  for (size_t size = 0; size < needed; ++size) CHECK(!isBootable(kernel.slice(0, size)));
}

}  // namespace
}  // namespace bothy
