#include "console/quantity.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// -1: refused.
int64_t mebibytes(kj::StringPtr text) {
  KJ_IF_MAYBE (value, parseMebibytes(text)) return *value;
  return -1;
}

int64_t milliseconds(kj::StringPtr text) {
  KJ_IF_MAYBE (value, parseDuration(text)) return *value / kj::MILLISECONDS;
  return -1;
}

TEST_CASE("sizes are whole MiB in binary units") {
  CHECK(mebibytes("512M") == 512);
  CHECK(mebibytes("512") == 512);
  CHECK(mebibytes("4G") == 4096);
  CHECK(mebibytes("2GiB") == 2048);
  CHECK(mebibytes("1T") == 1048576);
  CHECK(mebibytes("2048K") == 2);
}

TEST_CASE("sizes that are none are refused, not rounded") {
  for (auto text :
       {"", "M", "1.5G", "-1", "1000K", "4g", "4GB", "9999999T", "5G ", "99999999999999999999"}) {
    INFO(text);
    CHECK(mebibytes(text) == -1);
  }
}

TEST_CASE("sizes in bytes know K, and a number alone is MiB as elsewhere") {
  CHECK(parseBytes("1K").orDefault(0) == 1024);
  CHECK(parseBytes("1000KiB").orDefault(0) == 1024000);
  CHECK(parseBytes("3").orDefault(0) == 3ull << 20);
  CHECK(parseBytes("2T").orDefault(0) == 2ull << 40);
  for (auto text : {"", "K", "1k", "1B", "99999999T"}) {
    INFO(text);
    CHECK(parseBytes(text) == nullptr);
  }
}

TEST_CASE("sizes are written as they are typed") {
  for (auto text : {"0M", "1M", "256M", "1G", "1025M", "999G", "1T", "16T"}) {
    INFO(text);
    CHECK(formatMebibytes(static_cast<uint64_t>(mebibytes(text))) == text);
  }
}

TEST_CASE("durations are seconds unless they say otherwise") {
  CHECK(milliseconds("30") == 30000);
  CHECK(milliseconds("30s") == 30000);
  CHECK(milliseconds("500ms") == 500);
  CHECK(milliseconds("2m") == 120000);
  CHECK(milliseconds("1h") == 3600000);
  CHECK(milliseconds("7d") == 604800000);
  CHECK(milliseconds("40001d") == -1);
  CHECK(milliseconds("0") == 0);
  for (auto text : {"", "s", "-1s", "1 s", "1y", "99999999999"}) {
    INFO(text);
    CHECK(milliseconds(text) == -1);
  }
}

TEST_CASE("numbers have a bound") {
  CHECK(parseNumber("16", 16) != nullptr);
  CHECK(parseNumber("17", 16) == nullptr);
  CHECK(parseNumber("1x") == nullptr);
}

TEST_CASE("bytes are shown with three digits at most") {
  CHECK(formatBytes(0) == "0 B");
  CHECK(formatBytes(1023) == "1023 B");
  CHECK(formatBytes(1536) == "1.5 KiB");
  CHECK(formatBytes(12ull << 20) == "12 MiB");
  CHECK(formatBytes(256ull << 20) == "256 MiB");
  CHECK(formatBytes(3ull << 40) == "3.0 TiB");
}

TEST_CASE("durations are shown in the unit that matters") {
  CHECK(formatDuration(420 * kj::MILLISECONDS) == "0.4s");
  CHECK(formatDuration(12 * kj::SECONDS) == "12s");
  CHECK(formatDuration(192 * kj::SECONDS) == "3m12s");
  CHECK(formatDuration(125 * kj::MINUTES) == "2h05m");
  CHECK(formatDuration(76 * kj::HOURS) == "3d4h");
}

}  // namespace
}  // namespace bothy
