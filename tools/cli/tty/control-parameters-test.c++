#include "tty/control-parameters.h"

#include <kj/string.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

ControlParameters parse(kj::StringPtr text) {
  return ControlParameters(kj::str("\x1b[", text).asBytes());
}

TEST_CASE("numbers stand in fields and parts, and are 0 where none is given") {
  auto parameters = parse("?1;;12:3:4h");
  CHECK(parameters.mark() == '?');
  CHECK(parameters.size() == 3);
  CHECK(parameters.number(0) == 1);
  CHECK(parameters.number(1) == 0);
  CHECK((parameters.number(2) == 12 && parameters.number(2, 1) == 3));
  CHECK(parameters.number(2, 2) == 4);
  CHECK(parameters.number(3) == 0);
}

TEST_CASE("an intermediate byte is none of the numbers") {
  auto parameters = parse("2 q");
  CHECK(parameters.intermediate() == ' ');
  CHECK((parameters.size() == 1 && parameters.number(0) == 2));
  CHECK(parse("!p").size() == 0);
  CHECK(parse("m").size() == 0);
}

TEST_CASE("what is beyond the bounds is left out") {
  CHECK(parse("1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18m").size() == 16);
  CHECK(parse("1:2:3:4:5m").number(0, 2) == 3);
  CHECK(parse("99999999999999999999m").number(0) == ControlParameters::MAX_NUMBER);
}

}  // namespace
}  // namespace bothy
