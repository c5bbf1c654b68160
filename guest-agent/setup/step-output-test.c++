#include "setup/step-output.h"

#include <catch2/catch_test_macros.hpp>

#include "schema/setup.capnp.h"

namespace bothy {
namespace {

TEST_CASE("the last line is the last that has words, also while it grows") {
  LastLine line;
  CHECK(line.text() == "");
  line.add("one\ntw"_kj.asBytes());
  CHECK(line.text() == "tw");
  line.add("o\n\n  \n"_kj.asBytes());
  CHECK(line.text() == "two");
  line.add("10 %\r20 %\r"_kj.asBytes());
  CHECK(line.text() == "20 %");
}

TEST_CASE("a line that has no end is kept only so long, and no control character is") {
  LastLine line;
  for (int i = 0; i < 1000; i++) line.add("xxxxxxxxxx"_kj.asBytes());
  CHECK(line.text().size() == rpc::MAX_SETUP_LINE_BYTES);
  line.add("\na\x1b[31mb\x07\n"_kj.asBytes());
  CHECK(line.text() == "a [31mb ");
}

}  // namespace
}  // namespace bothy
