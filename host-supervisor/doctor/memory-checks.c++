#include "doctor/memory-checks.h"

#include <kj/vector.h>

namespace bothy {
namespace {

constexpr kj::StringPtr KSM = "/sys/kernel/mm/ksm/run"_kj;
constexpr kj::StringPtr SWAPS = "/proc/swaps"_kj;
constexpr kj::StringPtr CORE_PATTERN = "/proc/sys/kernel/core_pattern"_kj;
constexpr kj::StringPtr CORE_FILTER = "/proc/self/coredump_filter"_kj;
// Of a process whose cores have no memory in them.
constexpr kj::StringPtr NO_MEMORY = "00000000"_kj;
constexpr kj::StringPtr BLOCK_DEVICES = "/sys/class/block"_kj;

// Devices upon devices: LVM on RAID on encryption.  Nothing real is deeper, and nothing deeper is followed.
constexpr int MAX_DEVICE_DEPTH = 8;

// Device mapper's ids of dm-crypt begin so, as libcryptsetup writes them; but not all of its devices
// encrypt.
bool isCrypt(kj::StringPtr id) {
  if (!id.startsWith("CRYPT-")) return false;
  for (auto plain : {"CRYPT-VERITY-"_kj, "CRYPT-INTEGRITY-"_kj, "CRYPT-SUBDEV-"_kj}) {
    if (id.startsWith(plain)) return false;
  }
  return true;
}

// Whether what is written to a block device reaches no disk in clear.
bool isSafe(const HostFacts& facts, kj::StringPtr device, int depth = 0) {
  if (depth == MAX_DEVICE_DEPTH) return false;
  auto about = kj::str(BLOCK_DEVICES, "/", device);
  if (device.startsWith("zram")) {
    // Memory; but it may put what does not compress on a disk.
    KJ_IF_MAYBE (disk, facts.text(kj::str(about, "/backing_dev"))) {
      if (*disk != "none") {
        KJ_IF_MAYBE (below, facts.blockDevice(*disk)) return isSafe(facts, *below, depth + 1);
        return false;
      }
    }
    return true;
  }
  KJ_IF_MAYBE (id, facts.text(kj::str(about, "/dm/uuid"))) {
    if (isCrypt(*id)) return true;
  }
  auto below = facts.names(kj::str(about, "/slaves"));
  for (auto& part : below) {
    if (!isSafe(facts, part, depth + 1)) return false;
  }
  return below.size() > 0;
}

// The names in /proc/swaps, whose lines are "NAME TYPE SIZE USED PRIORITY" under a heading.  A name with
// blanks has \040 in it: there is no such file, so it counts as unsafe.
kj::Array<kj::String> swapNames(kj::StringPtr table) {
  kj::Vector<kj::String> names;
  bool isHeading = true;
  while (table.size() > 0) {
    size_t length = table.findFirst('\n').orDefault(table.size());
    auto line = kj::heapString(table.slice(0, length));
    table = table.slice(kj::min(length + 1, table.size()));
    size_t end = 0;
    while (end < line.size() && line[end] != ' ' && line[end] != '\t') end++;
    if (!isHeading && end > 0) names.add(kj::heapString(line.slice(0, end)));
    isHeading = false;
  }
  return names.releaseAsArray();
}

}  // namespace

Finding checkKsm(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "ksm"_kj;
  KJ_IF_MAYBE (run, facts.text(KSM)) {
    if (*run == "1") {
      return warning(NAME, kj::str("on: the kernel merges equal pages of programs that ask for it"),
                     kj::str("machines do not ask, other programs of this host may: echo 2 > ", KSM,
                             ", and disable what switches it on (ksmtuned)"));
    }
    return good(NAME, kj::str("off"));
  }
  return good(NAME, kj::str("the kernel has none"));
}

Finding checkSwap(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "swap"_kj;
  auto names = swapNames(facts.text(SWAPS).orDefault(kj::String()));
  if (names.size() == 0) return good(NAME, kj::str("none"));
  kj::Vector<kj::StringPtr> plain;
  for (auto& name : names) {
    bool isFine = false;
    KJ_IF_MAYBE (device, facts.blockDevice(name)) isFine = isSafe(facts, *device);
    if (!isFine) plain.add(name);
  }
  if (plain.size() == 0) {
    return good(NAME, kj::str("encrypted or in memory: ", kj::strArray(names, ", ")));
  }
  return warning(
      NAME, kj::str("not encrypted: ", kj::strArray(plain, ", ")),
      "memory of machines and keys would reach a disk in clear: swapoff it, or put it on "
      "dm-crypt with a random key (crypttab's option swap) or on zram");
}

Finding checkCoreDumps(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "core-dumps"_kj;
  auto filter = facts.text(CORE_FILTER).orDefault(kj::String());
  if (filter == NO_MEMORY) return good(NAME, kj::str("without memory, of bothyd and of machines"));
  auto pattern = facts.text(CORE_PATTERN).orDefault(kj::String());
  // A program that takes cores is given them whatever the limit is: see core(5).
  if (pattern.startsWith("|")) {
    return warning(NAME, kj::str("with memory, handed to a program: ", pattern),
                   "this kernel cannot leave memory out, so a crash hands over secrets: set "
                   "kernel.core_pattern to a plain name, or have the program keep nothing "
                   "(systemd-coredump: Storage=none)");
  }
  if (facts.coreLimitBytes() > 0) {
    return warning(NAME, kj::str("with memory, in a file named ", pattern),
                   "a crash would leave secrets there: start bothyd with LimitCORE=0 or after "
                   "ulimit -c 0");
  }
  return good(NAME, kj::str("none, of bothyd and of machines"));
}

}  // namespace bothy
