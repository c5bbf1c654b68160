#include "support/recording-viewer.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Recording {
  TerminalRecord record;
  RecordingViewer viewer{record};
  OutputCursor cursor;

  void output(uint64_t sequence, kj::StringPtr text) {
    viewer.onOutput(cursor.accept(sequence, text.asBytes()));
  }
  void gap(uint64_t sequence, uint64_t lost) { viewer.onGap(lost, cursor.skip(sequence, lost)); }
};

TEST_CASE("P01 P02 a recording viewer takes output and gaps in order, and nothing else") {
  Recording r;
  r.output(0, "abc");
  r.gap(3, 4);
  r.output(7, "d");
  CHECK(r.record.received == 4);
  CHECK(r.record.lost == 4);
  CHECK(r.record.gaps == 1);
  CHECK(r.record.tail(9) == "abcd");
  CHECK_THROWS_AS(r.output(7, "d"), kj::Exception);  // twice
  CHECK_THROWS_AS(r.output(9, "f"), kj::Exception);  // one is missing
  CHECK_THROWS_AS(r.gap(9, 2), kj::Exception);       // a part of it came
  CHECK_THROWS_AS(r.gap(20, 1), kj::Exception);      // more is missing
  CHECK(r.record.received == 4);
}

}  // namespace
}  // namespace bothy
