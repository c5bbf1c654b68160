#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/io.h>
#include <catch2/catch_test_macros.hpp>

#include "bundle/script.h"

namespace bothy {
namespace {

class TemporaryFile {
public:
  explicit TemporaryFile(kj::StringPtr text) {
    char pattern[] = "/tmp/bothy-config-XXXXXX";
    int fd;
    KJ_SYSCALL(fd = mkstemp(pattern));
    name = kj::str(pattern);
    kj::FdOutputStream(kj::AutoCloseFd(fd)).write(text.begin(), text.size());
  }
  ~TemporaryFile() noexcept { unlink(name.cStr()); }
  KJ_DISALLOW_COPY_AND_MOVE(TemporaryFile);

  kj::String name;
};

kj::String fragment() {
  auto disk = kj::newDiskFilesystem();
  auto path = disk->getCurrentPath().eval(kj::str(BOTHY_KERNEL, "/minimal.fragment"));
  return disk->getRoot().openFile(path)->readAllText();
}

// The last line that the check prints, and whether it succeeded.
kj::String check(kj::StringPtr config) {
  TemporaryFile file(config);
  auto line = kj::str(BOTHY_KERNEL, "/build-kernel --check ", file.name,
                      " 2>&1 && echo accepted || { status=$?; [ $status -eq 1 ]; }");
  return runScript({"/bin/sh"_kj, "-c"_kj, line});
}

kj::String without(kj::StringPtr text, kj::StringPtr line) {
  auto found = strstr(text.cStr(), kj::str("\n", line, "\n").cStr());
  KJ_ASSERT(found != nullptr, line);
  size_t position = found - text.begin();
  return kj::str(text.slice(0, position), text.slice(position + 1 + line.size()));
}

TEST_CASE("a configuration with every option of the fragment is accepted") {
  CHECK(check(fragment()) == "accepted");
  // What is off may be said or left out.
  CHECK(check(without(fragment(), "# CONFIG_VSOCKETS_LOOPBACK is not set")) == "accepted");
}

TEST_CASE("an option that the configuration lost is named") {
  CHECK(check(without(fragment(), "CONFIG_PVPANIC=y")) == "  CONFIG_PVPANIC=y");
  CHECK(check(kj::str(without(fragment(), "CONFIG_NR_CPUS=16"), "CONFIG_NR_CPUS=1\n")) ==
        "  CONFIG_NR_CPUS=16");
  CHECK(check(kj::str(fragment(), "CONFIG_VSOCKETS_LOOPBACK=y\n")) ==
        "  # CONFIG_VSOCKETS_LOOPBACK is not set");
}

TEST_CASE("S23 the guest kernel keeps what Debian hardens") {
  auto text = fragment();
  for (kj::StringPtr option :
       {"RANDOMIZE_BASE"_kj, "RANDOMIZE_MEMORY"_kj, "CPU_MITIGATIONS"_kj,
        "MITIGATION_PAGE_TABLE_ISOLATION"_kj, "MITIGATION_RETPOLINE"_kj, "MITIGATION_SLS"_kj,
        "STACKPROTECTOR_STRONG"_kj, "STRICT_KERNEL_RWX"_kj, "VMAP_STACK"_kj, "HARDENED_USERCOPY"_kj,
        "FORTIFY_SOURCE"_kj, "SLAB_FREELIST_HARDENED"_kj, "INIT_ON_ALLOC_DEFAULT_ON"_kj,
        "RANDOMIZE_KSTACK_OFFSET_DEFAULT"_kj, "X86_UMIP"_kj, "SECURITY_DMESG_RESTRICT"_kj,
        "SECURITY_YAMA"_kj, "SECURITY_LANDLOCK"_kj}) {
    INFO(option.cStr());
    CHECK(strstr(text.cStr(), kj::str("\nCONFIG_", option, "=y\n").cStr()) != nullptr);
  }
}

}  // namespace
}  // namespace bothy
