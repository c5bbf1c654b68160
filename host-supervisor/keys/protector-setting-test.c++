#include "keys/protector-setting.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

using Kind = ProtectorSetting::Kind;

void requireParsed(kj::StringPtr value, Kind kind, kj::StringPtr place) {
  auto parsed = parseProtector(value);
  REQUIRE(parsed.is<ProtectorSetting>());
  auto& setting = parsed.get<ProtectorSetting>();
  CHECK(setting.kind == kind);
  CHECK(setting.place == place);
  CHECK(setting.ifMissing == ProtectorSetting::IfMissing::REFUSE);
}

kj::String faultOf(kj::StringPtr value) {
  auto parsed = parseProtector(value);
  REQUIRE(parsed.is<kj::String>());
  return kj::str(parsed.get<kj::String>());
}

TEST_CASE("key-protector has three forms") {
  requireParsed("file:/etc/bothy/key", Kind::KEY_FILE, "/etc/bothy/key");
  requireParsed("passphrase:/a:b", Kind::PASSPHRASE_FILE, "/a:b");
  requireParsed("credential:bothy.key", Kind::CREDENTIAL, "bothy.key");
}

TEST_CASE("every other key-protector is told what is wrong with it") {
  CHECK(faultOf("/etc/key") ==
        "'/etc/key' is none of file:PATH, passphrase:PATH and credential:NAME");
  CHECK(faultOf("") == "'' is none of file:PATH, passphrase:PATH and credential:NAME");
  CHECK(faultOf("FILE:/key") ==
        "'FILE:/key' is none of file:PATH, passphrase:PATH and credential:NAME");
  CHECK(faultOf("file:key") == "'key' is not an absolute path");
  CHECK(faultOf("passphrase:") == "'' is not an absolute path");
  CHECK(faultOf(kj::str("file:/", kj::repeat('a', 4095))) ==
        "the path has 4096 bytes; the limit is 4095");
  CHECK(faultOf("credential:") == "a credential's name has 1 to 255 bytes, not 0");
  CHECK(faultOf(kj::str("credential:", kj::repeat('a', 256))) ==
        "a credential's name has 1 to 255 bytes, not 256");
  CHECK(faultOf("credential:../key") ==
        "'../key' is no name of a credential: it is one file's name");
  CHECK(faultOf("credential:..") == "'..' is no name of a credential: it is one file's name");
}

TEST_CASE("the default is a key file in the state directory, made when there is none") {
  auto setting = defaultProtector("/var/lib/bothy");
  CHECK(setting.kind == Kind::KEY_FILE);
  CHECK(setting.place == "/var/lib/bothy/keys/protector");
  CHECK(setting.ifMissing == ProtectorSetting::IfMissing::CREATE);
}

}  // namespace
}  // namespace bothy
