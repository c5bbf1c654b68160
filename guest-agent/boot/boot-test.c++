#include "boot/boot.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("the image's name and version are read, in any order, whatever else is there") {
  auto image = parseImageName("# made by bothy-image\nversion=12.1\nname=base\nother=x\n");
  CHECK(image.name == "base");
  CHECK(image.version == "12.1");
}

TEST_CASE("an image that does not say its name has none") {
  CHECK(parseImageName("").name == "");
  CHECK(parseImageName("name").name == "");
  CHECK(parseImageName("name=").name == "");
}

}  // namespace
}  // namespace bothy
