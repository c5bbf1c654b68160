#include "session/collected-output.h"

#include <kj/async.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  CollectedOutput output;

  void write(kj::StringPtr text) { output.write(text.begin(), text.size()).wait(scope); }
  // All but `rest` bytes of what is kept.
  void fillBut(size_t rest) { write(kj::str(kj::repeat('x', CollectedOutput::MAX_BYTES - rest))); }
  // From the last byte that is kept on.
  kj::String endOfMembers() {
    auto members = output.toMembers("stdout");
    return kj::str(members.slice(KJ_ASSERT_NONNULL(members.findLast('x')) + 1));
  }
};

TEST_CASE("collected output is text where it is UTF-8, else Base64") {
  Fixture text;
  text.write("a\n");
  CHECK(text.output.toMembers("stdout") == ",\"stdout\":\"a\\n\"");
  Fixture bytes;
  bytes.write("\xff");
  CHECK(bytes.output.toMembers("stderr") == ",\"stderrBase64\":\"/w==\"");
}

TEST_CASE("P16 collected output beyond the limit says that it is cut and how much there was") {
  Fixture whole;
  whole.fillBut(0);
  CHECK(whole.endOfMembers() == "\"");
  Fixture cut;
  cut.fillBut(0);
  cut.write("yz");
  CHECK(cut.endOfMembers() == "\",\"stdoutTruncated\":true,\"stdoutBytes\":16777218");
}

TEST_CASE("P16 a cut within a character leaves the rest of collected output text") {
  for (kj::StringPtr character : {"\xc3\xa4"_kj, "\xe2\x82\xac"_kj, "\xf0\x9f\x98\x80"_kj}) {
    for (size_t kept = 1; kept < character.size(); ++kept) {
      Fixture f;
      f.fillBut(kept);
      f.write(character);
      CHECK(f.endOfMembers().startsWith("\",\"stdoutTruncated\":true"));
    }
    Fixture f;
    f.fillBut(character.size());
    f.write(kj::str(character, "z"));
    CHECK(f.endOfMembers().startsWith("\\u"));
  }
}

}  // namespace
}  // namespace bothy
