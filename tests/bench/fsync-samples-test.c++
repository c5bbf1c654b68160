#include "bench/fsync-samples.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// Whether taking the lines fails.
bool fails(FsyncSamples& samples, std::initializer_list<kj::StringPtr> lines) {
  return kj::runCatchingExceptions([&]() {
           for (auto line : lines) samples.take(line);
         }) != nullptr;
}

TEST_CASE("a guest's nanoseconds become milliseconds of the disk that they name") {
  FsyncSamples samples;
  CHECK(samples.take("plain 500000"));
  CHECK(samples.take("luks 750000"));
  CHECK(samples.take("[    1.5] a word of the kernel"));
  CHECK_FALSE(samples.take("end 1"));
  REQUIRE(samples.plain.size() == 1);
  CHECK(samples.plain[0] == 0.5);
  REQUIRE(samples.encrypted.size() == 1);
  CHECK(samples.encrypted[0] == 0.75);
}

TEST_CASE("a guest that fails, ends early or loses a line gives no figure") {
  FsyncSamples failed, empty, short_, uneven;
  CHECK(fails(failed, {"failed: mount /dev/vda: No such device"}));
  CHECK(fails(empty, {"end 0"}));
  CHECK(fails(short_, {"plain 1", "luks 1", "end 2"}));
  CHECK(fails(uneven, {"plain 1", "plain 1", "luks 1", "end 2"}));
}

}  // namespace
}  // namespace bothy
