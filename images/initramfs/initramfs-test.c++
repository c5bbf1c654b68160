#include "initramfs/initramfs.h"

#include <kj/string.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "digest/digest.h"

namespace bothy {
namespace {

struct Entry {
  kj::String name;
  uint32_t mode;
  uint32_t major;
  uint32_t minor;
  uint32_t time;
  kj::Array<kj::byte> content;
};

constexpr size_t HEADER_BYTES = 110;

// Reads the format by its document, not by the writer's code.
kj::Vector<Entry> read(kj::ArrayPtr<const kj::byte> archive) {
  kj::Vector<Entry> entries;
  size_t at = 0;
  for (;;) {
    REQUIRE(at + HEADER_BYTES <= archive.size());
    auto field = [&](size_t index) {
      auto start = archive.begin() + at + 6 + index * 8;
      return static_cast<uint32_t>(
          strtoul(kj::heapString(reinterpret_cast<const char*>(start), 8).cStr(), nullptr, 16));
    };
    REQUIRE(kj::heapString(archive.slice(at, at + 6).asChars()) == "070701");
    size_t nameBytes = field(11);
    size_t contentBytes = field(6);
    size_t contentAt = (at + HEADER_BYTES + nameBytes + 3) & ~size_t{3};
    auto name = kj::heapString(
        archive.slice(at + HEADER_BYTES, at + HEADER_BYTES + nameBytes - 1).asChars());
    if (name == "TRAILER!!!") return entries;
    REQUIRE(contentAt + contentBytes <= archive.size());
    entries.add(Entry{kj::mv(name), field(1), field(9), field(10), field(5),
                      kj::heapArray(archive.slice(contentAt, contentAt + contentBytes))});
    at = (contentAt + contentBytes + 3) & ~size_t{3};
  }
}

TEST_CASE("an initramfs holds the agent as /init and nothing else that runs") {
  auto entries = read(makeInitramfs("agent"_kj.asBytes()));
  kj::Vector<kj::StringPtr> names;
  for (auto& entry : entries) {
    names.add(entry.name);
    CHECK(entry.time == 0);
    if (entry.name == "init") {
      CHECK(entry.mode == 0100711);
      CHECK(entry.content.asPtr() == "agent"_kj.asBytes());
    } else if (entry.name == "dev/console") {
      CHECK(entry.mode == 020600);
      CHECK((entry.major == 5 && entry.minor == 1));
    } else {
      CHECK(entry.mode == 040755);
    }
  }
  CHECK(kj::strArray(names, " ") == "dev proc root run sys dev/console init");
}

TEST_CASE("modules lie in a folder with a list that tells their order") {
  KernelModule modules[] = {{kj::str("vsock.ko"), kj::heapArray("first"_kj.asBytes())},
                            {kj::str("erofs.ko"), kj::heapArray("second"_kj.asBytes())}};
  auto entries = read(makeInitramfs("agent"_kj.asBytes(), modules));
  kj::Vector<kj::String> found;
  for (auto& entry : entries) {
    if (entry.name.startsWith("modules")) {
      found.add(kj::str(entry.name, '=', entry.content.asChars()));
    }
  }
  CHECK(kj::strArray(found, " ") ==
        "modules= modules/vsock.ko=first modules/erofs.ko=second "
        "modules/list=vsock.ko\nerofs.ko\n");
}

TEST_CASE("equal agents give equal initramfs, different ones do not") {
  auto digest = [](kj::StringPtr agent) { return digestOf(makeInitramfs(agent.asBytes())); };
  CHECK(digest("agent") == digest("agent"));
  CHECK(!(digest("agent") == digest("agenT")));
}

TEST_CASE("an initramfs is well formed for every length of the agent") {
  for (size_t size = 0; size < 20; ++size) {
    auto archive = makeInitramfs(kj::heapArray<kj::byte>(size));
    CHECK(archive.size() % 512 == 0);
    CHECK(read(archive).back().content.size() == size);
  }
}

}  // namespace
}  // namespace bothy
