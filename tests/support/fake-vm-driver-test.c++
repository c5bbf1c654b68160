#include "support/fake-vm-driver.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

VmSpec specNamed(kj::StringPtr name) {
  VmSpec spec{};
  spec.name = kj::str(name);
  return spec;
}

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  FakeVmDriver driver{[](kj::StringPtr, uint32_t) -> kj::Promise<kj::Own<kj::AsyncIoStream>> {
    return kj::Own<kj::AsyncIoStream>(kj::newTwoWayPipe().ends[0]);
  }};
};

TEST_CASE("a fake machine runs until it is ended, whoever holds it") {
  Fixture f;
  auto vm = f.driver.start(specNamed("one")).wait(f.scope);
  CHECK(f.driver.isRunning("one"));
  vm = nullptr;
  vm = KJ_ASSERT_NONNULL(f.driver.adopt(specNamed("one")).wait(f.scope));
  auto ended = vm->onEnd();
  f.driver.end("one", VmEnd::POWERED_OFF);
  CHECK(ended.wait(f.scope) == VmEnd::POWERED_OFF);
  vm->destroy().wait(f.scope);
  CHECK(f.driver.adopt(specNamed("one")).wait(f.scope) == nullptr);
  CHECK_THROWS(vm->dial(1).wait(f.scope));
}

TEST_CASE("a fake start fails as told, and one that is dropped while held leaves nothing") {
  Fixture f;
  f.driver.failStarts(KJ_EXCEPTION(OVERLOADED, "no memory"));
  CHECK_THROWS(f.driver.start(specNamed("one")).wait(f.scope));
  f.driver.holdStarts();
  {
    auto dropped = f.driver.start(specNamed("two"));
  }
  auto kept = f.driver.start(specNamed("three"));
  CHECK(!kept.poll(f.scope));
  f.driver.releaseStarts();
  kept.wait(f.scope);
  CHECK(f.driver.running().size() == 1);
  f.driver.remove("three").wait(f.scope);
  CHECK(f.driver.running().size() == 0);
}

}  // namespace
}  // namespace bothy
