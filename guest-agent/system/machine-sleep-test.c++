#include "system/machine-sleep.h"

#include <kj/async-io.h>
#include <stdio.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "process/text-file.h"
#include "tree/test-directory.h"

namespace bothy {
namespace {

// Control groups that are plain directories: the test is the kernel.
struct SleepWorld {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  TestDirectory directory;
  kj::Own<KernelMachineSleep> sleep;

  SleepWorld() {
    for (auto name : {"programs", "reserve"}) {
      directory.makeDirectory(name);
      directory.write(kj::str(name, "/cgroup.freeze"), "0");
      tell(name, false);
    }
    sleep = kj::heap<KernelMachineSleep>(
        io.provider->getTimer(),
        kj::arr(kj::str(directory.at("programs")), kj::str(directory.at("reserve"))), nullptr);
  }
  void tell(kj::StringPtr group, bool isFrozen) {
    directory.write(kj::str(group, "/cgroup.events"),
                    kj::str("populated 1\nfrozen ", isFrozen ? 1 : 0, "\n"));
  }
  bool isToFreeze(kj::StringPtr group) {
    return readTextFile(directory.at(kj::str(group, "/cgroup.freeze"))) == "1";
  }
  void pass(kj::Duration time) { io.provider->getTimer().afterDelay(time).wait(scope); }
};

TEST_CASE("P22 programs are frozen when the kernel says that all of them stand still") {
  SleepWorld world;
  auto frozen = world.sleep->freeze(60 * kj::SECONDS);
  CHECK_FALSE(frozen.poll(world.scope));
  CHECK(world.isToFreeze("programs"));
  CHECK(world.isToFreeze("reserve"));
  world.tell("programs", true);
  world.pass(30 * kj::MILLISECONDS);
  CHECK_FALSE(frozen.poll(world.scope));
  world.tell("reserve", true);
  // There is no disk.
  CHECK_FALSE(frozen.wait(world.scope));
  CHECK(world.isToFreeze("programs"));
  CHECK(world.sleep->thaw());
  CHECK_FALSE(world.isToFreeze("programs"));
  CHECK_FALSE(world.isToFreeze("reserve"));
  CHECK_FALSE(world.sleep->thaw());
}

TEST_CASE("programs that do not stand still go on, and it is told") {
  SleepWorld world;
  world.tell("programs", true);
  auto frozen = world.sleep->freeze(60 * kj::SECONDS);
  CHECK_THROWS(frozen.wait(world.scope));
  CHECK_FALSE(world.isToFreeze("programs"));
  CHECK_FALSE(world.isToFreeze("reserve"));
}

TEST_CASE("P41 programs go on by themselves when nobody wakes them") {
  SleepWorld world;
  world.tell("programs", true);
  world.tell("reserve", true);
  world.sleep->freeze(50 * kj::MILLISECONDS).wait(world.scope);
  CHECK(world.isToFreeze("programs"));
  for (int i = 0; i < 100 && world.isToFreeze("reserve"); i++) world.pass(10 * kj::MILLISECONDS);
  CHECK_FALSE(world.isToFreeze("programs"));
  CHECK_FALSE(world.isToFreeze("reserve"));
  CHECK_FALSE(world.sleep->thaw());
}

TEST_CASE("P24 the kernel takes a seed") {
  if (getuid() != 0) SKIP("it takes a seed from root alone");
  SleepWorld world;
  const kj::byte seed[32] = {1, 2, 3};
  world.sleep->reseed(seed);
}

}  // namespace
}  // namespace bothy
