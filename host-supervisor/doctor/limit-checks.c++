#include "doctor/limit-checks.h"

#include <stdlib.h>
#include <string.h>

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr kj::StringPtr LIMITS = "/proc/self/limits"_kj;
constexpr kj::StringPtr MEMORY = "/proc/meminfo"_kj;

// A machine takes some eight, and its clients and a spare as many again.
constexpr uint64_t FILES_PER_MACHINE = 16;
// Those of bothyd itself, and of clients.
constexpr uint64_t OWN_FILES = 512;
// The smallest that there is.
constexpr uint64_t MACHINE_KIB = 256 * 1024;

// The number behind `name` and `words` words more in the file; nullptr if there is none.
kj::Maybe<uint64_t> numberBehind(const HostFacts& facts, kj::StringPtr path, kj::StringPtr name,
                                 int words) {
  auto text = facts.text(path).orDefault(kj::String());
  const char* at = strstr(text.cStr(), name.cStr());
  if (at == nullptr) return nullptr;
  at += name.size();
  for (int i = 0; i <= words; i++) {
    at += strspn(at, " ");
    if (i < words) at += strcspn(at, " \n");
  }
  if (*at < '0' || *at > '9') return nullptr;
  return strtoull(at, nullptr, 10);
}

}  // namespace

Finding checkOpenFiles(const HostFacts& facts, const ExaminedPlaces& places) {
  constexpr kj::StringPtr NAME = "open-files"_kj;
  // Soft limit, hard limit: bothyd raises the one to the other.
  auto limit = numberBehind(facts, LIMITS, "Max open files", 1);
  if (limit == nullptr) return good(NAME, kj::str("no limit"));
  auto files = KJ_ASSERT_NONNULL(limit);
  auto memory = numberBehind(facts, MEMORY, "MemTotal:", 0).orDefault(0);
  auto machines = kj::min(uint64_t{places.uidCount}, memory / MACHINE_KIB);
  auto wanted = OWN_FILES + machines * FILES_PER_MACHINE;
  auto found = kj::str("at most ", files);
  if (files >= wanted) return good(NAME, kj::mv(found));
  return warning(
      NAME, kj::mv(found),
      kj::str("the ", machines, " machines that fit in memory take up to ", wanted,
              ": start bothyd with LimitNOFILE=", wanted, " or after ulimit -Hn ", wanted));
}

}  // namespace bothy
