#include "machine/console-end.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("S08 the console's end cannot move a cursor") {
  auto text = consoleEnd("panic\r\n\x1b[2J\xff gone\r\n"_kj.asBytes());
  CHECK(text == "panic\n\\x1b[2J\\xff gone\n");
}

TEST_CASE("P30 the console's end is the last 4 KiB, however it is escaped") {
  auto plain = kj::str(kj::repeat('a', 5000), "the end");
  auto shown = consoleEnd(plain.asBytes());
  CHECK(shown.size() == CONSOLE_END_BYTES);
  CHECK(shown.endsWith("the end"));

  auto hostile = kj::str(kj::repeat('\x01', 4096));
  CHECK(consoleEnd(hostile.asBytes()).size() <= CONSOLE_END_BYTES);
}

}  // namespace
}  // namespace bothy
