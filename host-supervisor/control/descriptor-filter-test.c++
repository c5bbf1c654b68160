#include "control/descriptor-filter.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "loop/testing/lingering-socket.h"

namespace bothy {
namespace {

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::CapabilityPipe pipe = io.provider->newCapabilityPipe();
  LingeringSocket lingering;
  const kj::MonotonicClock& clock = kj::systemPreciseMonotonicClock();

  // The peer keeps none.
  void send(kj::StringPtr bytes) {
    int fds[] = {lingering.socket.get()};
    pipe.ends[1]->writeWithFds(bytes.asBytes(), nullptr, fds).wait(io.waitScope);
    lingering.socket = nullptr;
  }
};

TEST_CASE("S01 a descriptor that lingers holds no reader up, wherever in a message it comes") {
  World w;
  DescriptorFilter filter(kj::mv(w.pipe.ends[0]));
  w.pipe.ends[1]->write("one "_kj.begin(), 4).wait(w.io.waitScope);
  w.send("two");
  const auto begin = w.clock.now();
  char bytes[7];
  CHECK(filter.tryRead(bytes, sizeof(bytes), sizeof(bytes)).wait(w.io.waitScope) == sizeof(bytes));
  CHECK(kj::arrayPtr(bytes, sizeof(bytes)) == kj::ArrayPtr<const char>("one two", 7));
  CHECK(w.clock.now() - begin < LingeringSocket::LINGER / 2);
}

TEST_CASE("S01 a descriptor that lingers and was not read does not hold up who closes the socket") {
  World w;
  auto filter = kj::heap<DescriptorFilter>(kj::mv(w.pipe.ends[0]));
  w.send("unread");
  const auto begin = w.clock.now();
  filter = nullptr;
  CHECK(w.clock.now() - begin < LingeringSocket::LINGER / 2);
}

}  // namespace
}  // namespace bothy
