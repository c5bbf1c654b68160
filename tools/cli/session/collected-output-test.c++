#include "session/collected-output.h"

#include <catch2/catch_test_macros.hpp>

#include "console/json-text.h"

namespace bothy {
namespace {

constexpr size_t LIMIT = 8;

// The members of standard output, as `exec --json` prints them behind others.
kj::String membersOf(kj::StringPtr text) {
  CollectedOutput output(LIMIT);
  auto written = output.write(text.begin(), text.size());
  auto line = jsonLine<result::Executed>([&](auto result) {
    result.initStatus().setExited(0);
    output.fill(result.initStdout());
  });
  constexpr kj::StringPtr BEFORE = "{\"exited\":0"_kj, AFTER = "}\n"_kj;
  REQUIRE(line.startsWith(BEFORE));
  REQUIRE(line.endsWith(AFTER));
  return kj::str(line.slice(BEFORE.size(), line.size() - AFTER.size()));
}

TEST_CASE("collected output is text where it is UTF-8, else Base64") {
  CHECK(membersOf("a\n") == ",\"stdout\":\"a\\n\"");
  CHECK(membersOf("\xff") == ",\"stdoutBase64\":\"/w==\"");
}

TEST_CASE("P16 collected output beyond the limit says that it is cut and how much there was") {
  CHECK(membersOf("12345678") == ",\"stdout\":\"12345678\"");
  CHECK(membersOf("1234567890") ==
        ",\"stdout\":\"12345678\",\"stdoutTruncated\":true,\"stdoutBytes\":10");
}

TEST_CASE("P16 a cut within a character leaves the rest of collected output text") {
  for (kj::StringPtr character : {"\xc3\xa4"_kj, "\xe2\x82\xac"_kj, "\xf0\x9f\x98\x80"_kj}) {
    for (size_t kept = 1; kept < character.size(); ++kept) {
      auto before = kj::str(kj::repeat('x', LIMIT - kept));
      CHECK(membersOf(kj::str(before, character)) ==
            kj::str(",\"stdout\":\"", before, "\",\"stdoutTruncated\":true,\"stdoutBytes\":",
                    before.size() + character.size()));
    }
    auto before = kj::str(kj::repeat('x', LIMIT - character.size()));
    CHECK(membersOf(kj::str(before, character, "z"))
              .startsWith(kj::str(",\"stdout\":\"", before, "\\u")));
  }
}

}  // namespace
}  // namespace bothy
