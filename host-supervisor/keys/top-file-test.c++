#include "keys/top-file.h"

#include "keys/test-keyring.h"

namespace bothy {
namespace {

TopFile topFile(kj::ArrayPtr<const uint64_t> numbers) {
  TopFile file;
  file.epoch = 3;
  file.nextNumber = 10;
  file.wrapped = kj::heapArray<kj::byte>(60);
  for (auto number : numbers) file.nodes.add(TopFile::Node{number, 5, {}});
  return file;
}

TEST_CASE("a top file has what was written, at the size that README.md tells") {
  auto key = randomKey();
  auto content = topFile({2, 9}).encode(key);
  CHECK(content.size() == 32 + 60 + 4 + 2 * 70 + 28);
  CHECK(endsWithSealOf(key, content));
  CHECK_FALSE(endsWithSealOf(randomKey(), content));
  auto read = TopFile::decode(content, "/keys/top");
  CHECK(read.epoch == 3);
  CHECK(read.nextNumber == 10);
  CHECK(read.wrapped.size() == 60);
  CHECK(read.nodes[1].number == 9);
  CHECK(read.nodes[1].slot == 5);
  CHECK(MAX_TOP_FILE_BYTES == 581'632);
}

TEST_CASE("nodes that come twice, in another order, or are not made yet are refused") {
  auto key = randomKey();
  uint64_t wrong[][2] = {{2, 2}, {3, 2}, {0, 2}, {2, 10}};
  for (auto& numbers : wrong) {
    auto content = topFile(numbers).encode(key);
    CHECK(says(failureOf([&]() { TopFile::decode(content, "/keys/top"); }),
               "/keys/top is refused: its nodes are not nodes in ascending order"));
  }
}

TEST_CASE("what is wrapped is bound to its kind, its epoch, its node and its id") {
  kj::Array<kj::byte> contexts[] = {topKeyContext(1),        topKeyContext(2),
                                    nodeContext(1, 1, 1),    nodeContext(2, 1, 1),
                                    nodeContext(1, 2, 1),    nodeContext(1, 1, 2),
                                    nodeKeyContext(1, "a"),  nodeKeyContext(2, "a"),
                                    nodeKeyContext(1, "aa"), nodeKeyContext(1, "b")};
  for (auto& one : contexts) {
    for (auto& other : contexts) CHECK((one == other) == (&one == &other));
  }
}

}  // namespace
}  // namespace bothy
