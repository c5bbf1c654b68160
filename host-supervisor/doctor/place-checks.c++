#include "doctor/place-checks.h"

#include <kj/vector.h>

namespace bothy {
namespace {

constexpr uint64_t MEBIBYTE = 1024 * 1024;

constexpr kj::StringPtr USERS = "/etc/passwd"_kj;
constexpr kj::StringPtr GRANTS = "/etc/subuid"_kj;

struct IdRange {
  uint64_t first;
  uint64_t count;

  bool meets(const IdRange& other) const {
    return first < other.first + other.count && other.first < first + count;
  }
};

// One line, parted by ':'.
kj::Array<kj::String> fieldsOf(kj::ArrayPtr<const char> line) {
  kj::Vector<kj::String> fields;
  size_t begin = 0;
  for (size_t i = 0; i <= line.size(); i++) {
    if (i < line.size() && line[i] != ':') continue;
    fields.add(kj::heapString(line.slice(begin, i)));
    begin = i + 1;
  }
  return fields.releaseAsArray();
}

kj::Maybe<uint64_t> numberIn(kj::ArrayPtr<const kj::String> fields, size_t index) {
  if (index >= fields.size()) return nullptr;
  return fields[index].tryParseAs<uint32_t>().map([](uint32_t n) { return uint64_t(n); });
}

// Calls `take` with the fields of each line of a file, which may not be there.
template <typename Take>
void forEachLine(const HostFacts& facts, kj::StringPtr path, Take&& take) {
  auto text = facts.text(path).orDefault(kj::String());
  kj::ArrayPtr<const char> rest = text.asArray();
  while (rest.size() > 0) {
    size_t end = 0;
    while (end < rest.size() && rest[end] != '\n') end++;
    take(fieldsOf(rest.slice(0, end)));
    rest = rest.slice(kj::min(end + 1, rest.size()), rest.size());
  }
}

}  // namespace

Finding checkRoot(const HostFacts& facts) {
  if (facts.user() == 0) return good("root", kj::str("bothyd runs as root"));
  return refusal(
      "root", kj::str("bothyd runs as user ", facts.user()),
      "start it as root: it gives disks to users of machines' own and starts QEMU as them");
}

Finding checkRuntimeDirectory(const HostFacts& facts, const ExaminedPlaces& places) {
  constexpr kj::StringPtr NAME = "runtime-dir"_kj;
  auto& path = places.runtimeDir;
  KJ_IF_MAYBE (fileSystem, facts.fileSystem(path)) {
    if (fileSystem->isInMemory) return good(NAME, kj::str(path, ", in memory"));
    return warning(
        NAME, kj::str(path, ", on a disk"),
        "mount a tmpfs there, or set runtime-dir to a place on one, as /run is with systemd: "
        "secrets of machines that run lie in it");
  }
  return warning(NAME, kj::str(path, ", which cannot be looked at"),
                 "set runtime-dir to a place on a tmpfs that root may read");
}

Finding checkStateDirectory(const HostFacts& facts, const ExaminedPlaces& places) {
  constexpr kj::StringPtr NAME = "state-dir"_kj;
  auto& path = places.stateDir;
  KJ_IF_MAYBE (fileSystem, facts.fileSystem(path)) {
    auto found = kj::str(path, ", ", fileSystem->freeBytes / MEBIBYTE, " MiB free");
    if (fileSystem->isInMemory) {
      return warning(
          NAME, kj::str(found, ", in memory"),
          "set state-dir to a place on a disk: workspaces are lost when the host restarts");
    }
    if (fileSystem->freeBytes < places.diskBytes) {
      return warning(NAME, kj::mv(found),
                     kj::str("make room: one workspace's disk may grow to ",
                             places.diskBytes / MEBIBYTE, " MiB"));
    }
    return good(NAME, kj::mv(found));
  }
  return warning(NAME, kj::str(path, ", which cannot be looked at"),
                 "set state-dir to a place on a disk that root may read");
}

Finding checkUserIds(const HostFacts& facts, const ExaminedPlaces& places) {
  constexpr kj::StringPtr NAME = "user-ids"_kj;
  const IdRange ours{places.firstUid, uint64_t(places.uidCount) + SERVICE_UIDS};
  kj::Vector<kj::String> others;
  forEachLine(facts, USERS, [&](kj::Array<kj::String> fields) {
    KJ_IF_MAYBE (id, numberIn(fields, 2)) {
      if (ours.meets({*id, 1})) others.add(kj::str(fields[0], " (", USERS, ")"));
    }
  });
  forEachLine(facts, GRANTS, [&](kj::Array<kj::String> fields) {
    KJ_IF_MAYBE (first, numberIn(fields, 1)) {
      KJ_IF_MAYBE (count, numberIn(fields, 2)) {
        if (ours.meets({*first, *count})) others.add(kj::str(fields[0], " (", GRANTS, ")"));
      }
    }
  });
  auto range = kj::str(ours.first, " to ", ours.first + ours.count - 1);
  if (others.size() == 0) return good(NAME, kj::str(range, ", nobody else's"));
  // One line: the first names are enough to find the others.
  constexpr size_t MOST_NAMED = 5;
  auto named = others.asPtr().slice(0, kj::min(others.size(), MOST_NAMED));
  return warning(
      NAME,
      kj::str(range, ", also of ", kj::strArray(named, ", "),
              others.size() > MOST_NAMED ? kj::str(" and ", others.size() - MOST_NAMED, " more")
                                         : kj::String()),
      "set first-uid and uid-count to a range that nobody else has: whatever runs under an id is "
      "ended with its machine and may read its disk");
}

}  // namespace bothy
