#include "agent/guest-text.h"

#include <kj/array.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String repeated(char c, size_t count) {
  auto text = kj::heapString(count);
  for (auto& each : text.asArray()) each = c;
  return text;
}

TEST_CASE("S12 a guest's version is kept if it is one, and no longer than a version is") {
  CHECK(versionOfGuest("0.1.0-rc2+git~1") == "0.1.0-rc2+git~1");
  CHECK(versionOfGuest(repeated('9', MAX_VERSION_BYTES)).size() == MAX_VERSION_BYTES);
  for (kj::StringPtr told : {""_kj, "1.0\n"_kj, "1 0"_kj, "\x1b[2J"_kj, "é"_kj}) {
    CHECK(versionOfGuest(told) == "?");
  }
  CHECK(versionOfGuest(kj::str("1", '\0', "2")) == "?");
  CHECK(versionOfGuest(repeated('9', MAX_VERSION_BYTES + 1)) == "?");
  CHECK(versionOfGuest(repeated('9', 8 << 20)) == "?");
}

TEST_CASE("S12 a line about a guest is one line, and says that it was cut off") {
  CHECK(lineOfGuest("it broke\n") == "it broke\\n");
  CHECK(lineOfGuest(repeated('a', MAX_LINE_BYTES)).size() == MAX_LINE_BYTES);
  auto cut = lineOfGuest(repeated('\1', 8 << 20));
  CHECK(cut.size() < 5 * MAX_LINE_BYTES);
  CHECK(cut.endsWith(" [...]"));
}

}  // namespace
}  // namespace bothy
