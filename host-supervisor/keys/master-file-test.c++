#include "keys/master-file.h"

#include "keys/keyring-file.h"
#include "keys/test-keyring.h"

namespace bothy {
namespace {

MasterFile masterFile(kj::ArrayPtr<const uint64_t> numbers) {
  MasterFile file;
  file.generations = KJ_MAP(number, numbers) {
    return MasterGeneration{number, {}};
  };
  return file;
}

kj::Exception refusalOf(const MasterFile& file) {
  return failureOf([&]() { MasterFile::decode(file.encode(), "/keys/master"); });
}

TEST_CASE("a master file has what was written, at the size that README.md tells") {
  auto file = masterFile({7, 8});
  file.derivation = {KeyDerivation::Kind::SCRYPT, 17, 8, 1, {1, 2, 3}};
  file.generations[1].wrapped.tag[15] = 0xab;
  auto content = file.encode();
  CHECK(content.size() == 203);
  auto read = MasterFile::decode(content, "/keys/master");
  CHECK(read.derivation.log2N == 17);
  CHECK(read.derivation.salt[2] == 3);
  CHECK(KJ_ASSERT_NONNULL(read.find(8)).wrapped.tag[15] == 0xab);
  CHECK(read.find(9) == nullptr);
  CHECK(masterFile({7}).encode().size() == 135);
}

TEST_CASE("generations that do not follow each other are refused") {
  uint64_t wrong[][2] = {{2, 1}, {1, 1}, {1, 3}, {0, 1}};
  for (auto& numbers : wrong) {
    CHECK(says(refusalOf(masterFile(numbers)), "/keys/master is refused"));
  }
  uint64_t zero[] = {0};
  CHECK(says(refusalOf(masterFile(zero)), "/keys/master is refused"));
}

TEST_CASE("a cost of scrypt beyond its limits is refused before it is paid") {
  using Kind = KeyDerivation::Kind;
  for (auto derivation :
       {KeyDerivation{Kind::SCRYPT, 9, 8, 1, {}}, KeyDerivation{Kind::SCRYPT, 21, 8, 1, {}},
        KeyDerivation{Kind::SCRYPT, 17, 0, 1, {}}, KeyDerivation{Kind::SCRYPT, 17, 9, 1, {}},
        KeyDerivation{Kind::SCRYPT, 17, 8, 0, {}}, KeyDerivation{Kind::SCRYPT, 17, 8, 5, {}},
        KeyDerivation{Kind::NONE, 17, 0, 0, {}},
        KeyDerivation{static_cast<Kind>(2), 0, 0, 0, {}}}) {
    auto file = masterFile({1});
    file.derivation = derivation;
    CHECK(says(refusalOf(file), "beyond the limits of scrypt"));
  }
}

TEST_CASE("what is wrapped is bound to the kind of file, the generation and the id") {
  kj::Array<kj::byte> contexts[] = {masterContext(1),   masterContext(2),   keyContext(1, "a"),
                                    keyContext(2, "a"), keyContext(1, "b"), keyContext(1, "aa")};
  for (auto& one : contexts) {
    for (auto& other : contexts) CHECK((one == other) == (&one == &other));
  }
}

}  // namespace
}  // namespace bothy
