#include "vm/libvirt-event-box.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/thread.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

using Kind = LibvirtEvent::Kind;

struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::Own<LibvirtEventBox> box = kj::atomicRefcounted<LibvirtEventBox>();

  void put(kj::StringPtr domain, Kind kind, kj::StringPtr device = nullptr) {
    box->put({kind, kj::str(domain), kj::str(device)});
  }
  // All that wait, as DOMAIN:KIND:DEVICE.
  kj::String takeAll() {
    kj::Vector<kj::String> found;
    for (;;) {
      auto next = box->take();
      if (!next.poll(io.waitScope)) break;
      auto event = next.wait(io.waitScope);
      found.add(kj::str(event.domain, ":", int(event.kind), ":", event.device));
    }
    return kj::strArray(found, " ");
  }
};

TEST_CASE("S01 a machine that reports without end takes nobody's event, nor its own others") {
  Fixture f;
  for (int i = 0; i < 10000; i++) f.put("loud", Kind::REBOOTED);
  f.put("loud", Kind::STOPPED);
  f.put("quiet", Kind::STALLED);
  for (int i = 0; i < 10000; i++) f.put("loud", Kind::POWERED_OFF);
  CHECK(f.takeAll() == "loud:1: quiet:3: loud:5: loud:0:");
}

TEST_CASE("an event that was taken may come again") {
  Fixture f;
  f.put("demo", Kind::STALLED);
  CHECK(f.takeAll() == "demo:3:");
  f.put("demo", Kind::STALLED);
  CHECK(f.takeAll() == "demo:3:");
}

TEST_CASE("S01 removals of different devices wait side by side, up to as many as a machine has") {
  Fixture f;
  f.put("demo", Kind::DEVICE_REMOVED, "");
  f.put("demo", Kind::DEVICE_REMOVED, "vsock0");
  f.put("demo", Kind::DEVICE_REMOVED, "vsock0");
  CHECK(f.takeAll() == "demo:4: demo:4:vsock0");
  for (int i = 0; i < 10000; i++) f.put("demo", Kind::DEVICE_REMOVED, kj::str("d", i));
  CHECK(
      f.takeAll() ==
      "demo:4:d9992 demo:4:d9993 demo:4:d9994 demo:4:d9995 demo:4:d9996 demo:4:d9997 demo:4:d9998 "
      "demo:4:d9999");
}

TEST_CASE("who waits gets what another thread puts, and a promise that is dropped loses nothing") {
  Fixture f;
  {
    auto dropped = f.box->take();
    CHECK_FALSE(dropped.poll(f.io.waitScope));
  }
  auto next = f.box->take();
  CHECK_FALSE(next.poll(f.io.waitScope));
  kj::Thread thread([&]() { f.put("demo", Kind::CRASHED); });
  CHECK(next.wait(f.io.waitScope).kind == Kind::CRASHED);
}

}  // namespace
}  // namespace bothy
