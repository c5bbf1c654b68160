#include "vm/console-tail.h"

#include <kj/string.h>
#include <string>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

std::string endOf(const ConsoleTail& tail) {
  auto end = tail.end();
  return std::string(end.begin(), end.end());
}

TEST_CASE("P30 the end of a console is kept, in whatever portions it came") {
  for (size_t portion : {size_t(1), size_t(7), CONSOLE_END_BYTES, 3 * CONSOLE_END_BYTES + 1}) {
    INFO(portion << " bytes at a time");
    ConsoleTail tail;
    CHECK(endOf(tail) == "");
    std::string all;
    while (all.size() < 10 * CONSOLE_END_BYTES) {
      std::string said;
      while (said.size() < portion)
        said += static_cast<char>('a' + (all.size() + said.size()) % 23);
      tail.add(kj::arrayPtr(said.data(), said.size()).asBytes());
      all += said;
      const auto end = all.size() > CONSOLE_END_BYTES ? all.size() - CONSOLE_END_BYTES : 0;
      // Looked at now and then: each look is a copy.
      if (all.size() % 5 == 0) REQUIRE(endOf(tail) == all.substr(end));
    }
    CHECK(endOf(tail) == all.substr(all.size() - CONSOLE_END_BYTES));
  }
}

TEST_CASE("P41 what was said earlier comes before what is there, and takes no room from it") {
  ConsoleTail tail;
  const std::string earlier(CONSOLE_END_BYTES, 'e'), later(100, 'l');
  tail.add(kj::arrayPtr(later.data(), later.size()).asBytes());
  tail.precede(kj::arrayPtr(earlier.data(), earlier.size()).asBytes());
  CHECK(endOf(tail) == earlier.substr(later.size()) + later);
  tail.add("!"_kj.asBytes());
  CHECK(endOf(tail) == earlier.substr(later.size() + 1) + later + "!");
}

}  // namespace
}  // namespace bothy
