#include "usage/help-text.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT = R"(Shows how, in a paragraph that is longer than
a line of a page and so goes on below itself.

A second one.)"_kj;

TEST_CASE("help shows how a command is called, what it does and its options") {
  Usage usage("demo", "shows how");
  bool ignored = false;
  kj::StringPtr text;
  usage.form("[OPTION]... NAME");
  usage.form("--list");
  usage.describe(TEXT, "With --json: nothing.");
  usage.flag('l', "list", "list what there is, with so many words that they need another line",
             ignored);
  usage.option(0, "size", {"SIZE"}, "how large", text);
  usage.option(0, "a-name-that-needs-a-line", {"TEXT"}, "why", text);
  usage.operand({"NAME"}, text);
  usage.commonOptionsFollow();

  CHECK(helpText(usage.declared()) == R"(Usage: bothy demo [OPTION]... NAME
       bothy demo --list

Shows how, in a paragraph that is longer than a line of a page and so goes on
below itself.

A second one.

  -l, --list       list what there is, with so many words that they need another
                   line
      --size SIZE  how large
      --a-name-that-needs-a-line TEXT
                   why

With --json: nothing.

Options of every command:
  -h, --help  show this text
)");
}

TEST_CASE("a term of any length has its meaning beside or below it") {
  const Definition definitions[] = {
      {kj::str("a"), "one"}, {kj::str(kj::repeat('b', 100)), "two"}, {kj::str("ccc"), "three"}};
  auto text = definitionsText(definitions);
  CHECK(text.startsWith("  a    one\n  bbb"));
  CHECK(text.endsWith("b\n       two\n  ccc  three\n"));
}

}  // namespace
}  // namespace bothy
