#include "keys/keyring-file.h"

#include "keys/test-keyring.h"

namespace bothy {
namespace {

KeyringFile keyringFile(kj::ArrayPtr<const kj::StringPtr> ids) {
  KeyringFile file;
  file.generation = 3;
  for (auto id : ids) file.keys.insert(kj::heapString(id), WrappedKey{{}, {}, {kj::byte(id[0])}});
  return file;
}

TEST_CASE("a keyring file has what was written, in ascending order of ids") {
  auto master = randomKey();
  auto content = keyringFile({"b"_kj, "a"_kj, "a-2"_kj}).encode(master);
  CHECK(content.size() == KEYRING_HEADER_BYTES + 3 * (1 + sizeof(WrappedKey)) + 5 + sizeof(Seal));
  CHECK(endsWithSealOf(master, content));
  auto read = KeyringFile::decode(content, "/keys/keyring");
  CHECK(read.generation == 3);
  CHECK(kj::strArray(KJ_MAP(entry, read.keys) { return kj::str(entry.key); }, " ") == "a a-2 b");
  CHECK(KJ_ASSERT_NONNULL(read.keys.find("b"_kj)).tag[0] == 'b');
}

TEST_CASE("ids that come twice, in another order or are none are refused") {
  auto master = randomKey();
  auto content = keyringFile({"a"_kj, "b"_kj}).encode(master);
  size_t second = KEYRING_HEADER_BYTES + 2 + sizeof(WrappedKey) + 1;
  REQUIRE(content[second] == 'b');
  for (kj::byte other : {'a', 'A', '/', '\0', '0'}) {
    content[second] = other;
    CHECK(says(failureOf([&]() { KeyringFile::decode(content, "/keys/keyring"); }),
               "/keys/keyring is refused: its ids are not ids in ascending order"));
  }
}

}  // namespace
}  // namespace bothy
