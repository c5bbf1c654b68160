#include "workspace/workspace-spec.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String faultOf(GivenSpec spec, uint32_t hostMemoryMib = MAX_MEMORY_MIB) {
  auto result = check(spec, SpecDefaults(), TierTable());
  if (result.is<kj::String>()) return kj::mv(result.get<kj::String>());
  return checkHost(result.get<CheckedSpec>(), hostMemoryMib).orDefault(kj::String());
}

GivenSpec named(kj::StringPtr name) {
  GivenSpec spec;
  spec.name = kj::str(name);
  return spec;
}

TEST_CASE("what a spec leaves open is filled in") {
  auto result = check(named("demo"), SpecDefaults{2, 1024, 64}, TierTable());
  REQUIRE(result.is<CheckedSpec>());
  auto& spec = result.get<CheckedSpec>();
  CHECK(spec.name.text() == "demo");
  CHECK(spec.image == "base");
  CHECK(spec.cpus == 2);
  CHECK(spec.memoryMib == 1024);
  CHECK(spec.diskMib == 64);
}

TEST_CASE("P53 a spec with a tier has its figures, and none beside them") {
  auto spec = named("demo");
  spec.tier = kj::str("pro");
  auto result = check(spec, SpecDefaults(), TierTable());
  REQUIRE(result.is<CheckedSpec>());
  auto& checked = result.get<CheckedSpec>();
  CHECK((checked.cpus == 2 && checked.memoryMib == 2048 && checked.diskMib == 10240));
  CHECK(checked.tier == "pro");
  auto given = [](uint32_t GivenSpec::* figure, uint32_t value) {
    auto spec = named("demo");
    spec.tier = kj::str("pro");
    spec.*figure = value;
    return faultOf(kj::mv(spec));
  };
  CHECK(given(&GivenSpec::cpus, 2) == "cpus is 2: the tier 'pro' has 2, leave out one of both");
  CHECK(given(&GivenSpec::memoryMib, 9999) ==
        "memoryMib is 9999: the tier 'pro' has 2048, leave out one of both");
  CHECK(given(&GivenSpec::diskMib, 1) ==
        "diskMib is 1: the tier 'pro' has 10240, leave out one of both");
  spec.tier = kj::str("gold");
  CHECK(faultOf(kj::mv(spec)) == "tier is 'gold': it must be one of free, pro, team, enterprise");
  spec = named("demo");
  spec.tier = kj::str("pro");
  CHECK(faultOf(kj::mv(spec), 2000) ==
        "memoryMib is 2048: the host has 2000, and a machine cannot have more");
}

TEST_CASE("S12 a name that could mean something to a shell, a path or XML is refused") {
  for (auto name :
       {"", "-a", "a-", "A", "a b", "a/b", "..", "a.b", "a\"", "a<", "a;b", "ä", "a\n"}) {
    INFO(name);
    CHECK(faultOf(named(name)).startsWith("name is '"));
  }
  CHECK(faultOf(named(kj::str(kj::repeat('a', 64)))).startsWith("name is '"));
  CHECK(faultOf(named(kj::str(kj::repeat('a', 63)))) == "");
  CHECK(faultOf(named("a")) == "");
  CHECK(faultOf(named("a-1")) == "");

  // Whose usage is asked for is a name or an id.
  CHECK(faultOf(named(kj::str(kj::repeat('a', 32)))).startsWith("name is '"));
  CHECK(faultOf(named(kj::str(kj::repeat('g', 32)))) == "");

  auto image = named("a");
  image.image = kj::str("../../etc");
  CHECK(faultOf(kj::mv(image)).startsWith("image is '../../etc': "));
}

TEST_CASE("a refusal names the field, the value and the limit") {
  auto spec = named("demo");
  spec.cpus = 17;
  CHECK(faultOf(kj::mv(spec)) == "cpus is 17: it must be 1 to 16");
  spec = named("demo");
  spec.memoryMib = 255;
  CHECK(faultOf(kj::mv(spec)) == "memoryMib is 255: it must be 256 to 1048576");
  spec = named("demo");
  spec.diskMib = 63;
  CHECK(faultOf(kj::mv(spec)) == "diskMib is 63: it must be 64 to 16777216");
}

TEST_CASE("more memory than the host has is refused, with how much that is") {
  constexpr uint32_t HOST_MIB = 24000;
  auto spec = named("demo");
  spec.memoryMib = HOST_MIB;
  CHECK(faultOf(kj::mv(spec), HOST_MIB) == "");
  spec = named("demo");
  spec.memoryMib = HOST_MIB + 1;
  CHECK(faultOf(kj::mv(spec), HOST_MIB) ==
        "memoryMib is 24001: the host has 24000, and a machine cannot have more");
}

TEST_CASE("P57 requests that differ have different texts") {
  auto one = named("a"), other = named("a ");
  other.image = kj::str("b");
  one.image = kj::str(" b");
  CHECK(canonicalText(one) != canonicalText(other));
  CHECK(canonicalText(named("a")) == canonicalText(named("a")));
}

}  // namespace
}  // namespace bothy
