#include "options.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

Options ordinary(std::initializer_list<const char*> words) {
  return parseOptions(Role::ORDINARY, kj::arrayPtr(words.begin(), words.size()));
}

TEST_CASE("PID 1 brings up the machine, whatever the kernel passes on") {
  const char* words[] = {"quiet", "--version"};
  CHECK(parseOptions(Role::INIT, words).is<BootMachine>());
}

TEST_CASE("a descriptor to serve comes with one for the secret") {
  auto options = ordinary({"--serve-fd", "3", "--secret-fd", "4"});
  REQUIRE(options.is<ServeDescriptor>());
  CHECK(options.get<ServeDescriptor>().socket == 3);
  CHECK(options.get<ServeDescriptor>().secret == 4);
  CHECK(ordinary({"--serve-fd", "3"}).is<WrongUsage>());
  CHECK(ordinary({"--serve-fd", "3", "--secret-fd"}).is<WrongUsage>());
  CHECK(ordinary({"--serve-fd", "three", "--secret-fd", "4"}).is<WrongUsage>());
  CHECK(ordinary({"--serve-fd", "-1", "--secret-fd", "4"}).is<WrongUsage>());
}

TEST_CASE("whoever starts the agent by hand is told how to") {
  CHECK(ordinary({"--version"}).is<ShowVersion>());
  CHECK(ordinary({}).is<WrongUsage>());
  CHECK(ordinary({"--help"}).is<WrongUsage>());
}

}  // namespace
}  // namespace bothy
