#include "console/table.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String render(kj::StringPtr first, kj::StringPtr second) {
  const kj::StringPtr headings[] = {"NAME", "STATE"};
  Table table(headings);
  const kj::String cells[] = {kj::str(first), kj::str(second)};
  table.add(cells);
  return table.render();
}

TEST_CASE("columns are as wide as their widest cell") {
  CHECK(render("workspace", "ok") == "NAME       STATE\nworkspace  ok\n");
}

TEST_CASE("no line ends in blanks") {
  CHECK(render("a", "") == "NAME  STATE\na\n");
}

TEST_CASE("S08 a cell with control characters stays one line of visible text") {
  CHECK(render("a\n\x1b[31m", "ok") == "NAME         STATE\na\\n\\x1b[31m  ok\n");
}

}  // namespace
}  // namespace bothy
