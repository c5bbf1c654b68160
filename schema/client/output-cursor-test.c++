#include "client/output-cursor.h"

#include <kj/string.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String shown(OutputCursor::Piece piece) {
  return kj::str(piece.lost > 0 ? kj::str("<", piece.lost, " lost>") : kj::str(),
                 piece.fresh.asChars());
}

TEST_CASE("P01 output that comes in order is shown as it is") {
  OutputCursor cursor;
  CHECK(shown(cursor.accept(0, "abc"_kj.asBytes())) == "abc");
  CHECK(shown(cursor.accept(3, "de"_kj.asBytes())) == "de");
  CHECK(cursor.position() == 5);
}

TEST_CASE("P02 what was shown before is not shown again") {
  OutputCursor cursor;
  cursor.accept(0, "abc"_kj.asBytes());
  CHECK(shown(cursor.accept(1, "bcd"_kj.asBytes())) == "d");
  CHECK(shown(cursor.accept(0, "ab"_kj.asBytes())) == "");
  CHECK(cursor.position() == 4);
  auto piece = cursor.accept(2, "cde"_kj.asBytes());
  CHECK(piece.repeated == 2);
  CHECK(piece.sequence == 4);
}

TEST_CASE("P01 a jump in the numbers is told as a loss") {
  OutputCursor cursor;
  cursor.accept(0, "abc"_kj.asBytes());
  CHECK(shown(cursor.accept(10, "k"_kj.asBytes())) == "<7 lost>k");
  CHECK(cursor.position() == 11);
}

TEST_CASE("P01 an announced gap counts only what was not shown") {
  OutputCursor cursor;
  cursor.startAt(100);
  CHECK(cursor.skip(90, 30) == 20);
  CHECK(cursor.skip(90, 10) == 0);
  CHECK(cursor.position() == 120);
}

TEST_CASE("numbers at the end of the range do not wrap around") {
  OutputCursor cursor;
  CHECK(cursor.skip(UINT64_MAX - 1, UINT64_MAX) == UINT64_MAX);
  CHECK(shown(cursor.accept(0, "abc"_kj.asBytes())) == "");
}

}  // namespace
}  // namespace bothy
