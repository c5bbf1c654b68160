#include "keys/node-file.h"

#include "keys/test-keyring.h"

namespace bothy {
namespace {

NodeFile nodeFile(kj::ArrayPtr<const kj::String> ids) {
  NodeFile file;
  file.number = 7;
  file.slot = slotOf(ids[0]);
  for (auto& id : ids) {
    file.entries.add(NodeFile::Entry{kj::heapString(id), WrappedKey{{}, {}, {kj::byte(id[0])}}});
  }
  return file;
}

kj::Array<kj::String> idsOfOneSlot() {
  auto other = idBeside("a");
  return kj::arr(kj::str("a"), kj::mv(other));
}

TEST_CASE("a node's file has what was written, at the size that README.md tells") {
  auto key = randomKey();
  auto ids = idsOfOneSlot();
  auto content = nodeFile(ids).encode(key);
  CHECK(NODE_HEADER_BYTES == 28);
  CHECK(content.size() ==
        28 + 2 * (1 + sizeof(WrappedKey)) + ids[0].size() + ids[1].size() + sizeof(Seal));
  auto read = NodeFile::decode(content, "/keys/node-7", key);
  CHECK(read.number == 7);
  CHECK(read.slot == slotOf("a"));
  CHECK(KJ_ASSERT_NONNULL(read.find(ids[1])).tag[0] == 'b');
  CHECK(read.find("a2") == nullptr);
  CHECK(MAX_NODE_FILE_BYTES == 131'072);
}

TEST_CASE("a node opens under its own key alone") {
  auto content = nodeFile(idsOfOneSlot()).encode(randomKey());
  CHECK(says(failureOf([&]() { NodeFile::decode(content, "/keys/node-7", randomKey()); }),
             "/keys/node-7 is refused: its seal"));
}

TEST_CASE(
    "ids of a node that come twice, in another order, of another slot or are none are refused") {
  auto key = randomKey();
  auto ids = idsOfOneSlot();
  auto foreign = kj::str("b");
  REQUIRE(slotOf(foreign) != slotOf("a"));
  kj::Array<kj::String> wrong[] = {
      kj::arr(kj::str("a"), kj::str("a")), kj::arr(kj::str(ids[1]), kj::str("a")),
      kj::arr(kj::str("a"), kj::mv(foreign)), kj::arr(kj::str("A"), kj::str("a"))};
  for (auto& list : wrong) {
    auto content = nodeFile(list).encode(key);
    CHECK(says(failureOf([&]() { NodeFile::decode(content, "/keys/node-7", key); }),
               "its ids are not ids of its slot in ascending order"));
  }
}

TEST_CASE("a slot is the folded FNV-1a of the id, as README.md tells") {
  // FNV-1a of "a" is e40c292c.
  CHECK(slotOf("a") == (0xe40c292c ^ 0xe40c) % 512);
  // Ids as workspaces have them are spread: no slot has twice its share of 64.
  std::map<uint16_t, int> counts;
  for (uint i = 0; i < 64 * NODE_SLOTS; ++i)
    ++counts[slotOf(kj::str("0123456789abcdef", kj::hex(i)))];
  CHECK(counts.size() == NODE_SLOTS);
  for (auto& [slot, count] : counts) CHECK(count < 128);
}

}  // namespace
}  // namespace bothy
