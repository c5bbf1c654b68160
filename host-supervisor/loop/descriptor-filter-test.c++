#include "loop/descriptor-filter.h"

#include <kj/debug.h>
#include <string.h>
#include <unistd.h>

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

kj::String failureOf(kj::Promise<size_t> read, kj::WaitScope& scope) {
  return read
      .then([](size_t) { return kj::str("none"); },
            [](kj::Exception&& e) { return kj::str(e.getDescription()); })
      .wait(scope);
}

TEST_CASE("S01 the first descriptor ends what is read, and holds no reader up") {
  World w;
  DescriptorFilter filter(kj::mv(w.pipe.ends[0]), getuid());
  w.pipe.ends[1]->write("one "_kj.begin(), 4).wait(w.io.waitScope);
  w.send("two");
  const auto begin = w.clock.now();
  char bytes[7];
  auto read = [&]() { return failureOf(filter.tryRead(bytes, 7, 7), w.io.waitScope); };
  auto why = read();
  CHECK(strstr(why.cStr(), "file descriptor") != nullptr);
  CHECK(w.clock.now() - begin < LingeringSocket::LINGER / 2);
  CHECK(read() == why);
  // Nor does the peer get rid of more.
  CHECK_THROWS_AS(w.pipe.ends[1]->write("three", 5).wait(w.io.waitScope), kj::Exception);
}

TEST_CASE("S01 a read of much goes on when there is room, and ends when reads are to fail") {
  World w;
  DescriptorFilter filter(kj::mv(w.pipe.ends[0]), getuid());
  size_t told = 0;
  auto room = kj::newPromiseAndFulfiller<void>();
  filter.slowReads([&](size_t have) -> kj::Promise<void> {
    told = have;
    if (have == 0) return kj::READY_NOW;
    return kj::mv(room.promise);
  });
  auto bytes = kj::heapArray<kj::byte>(64 * 1024);
  constexpr size_t PART = 10000;
  auto reading = filter.tryRead(bytes.begin(), bytes.size(), bytes.size());
  w.pipe.ends[1]->write(bytes.begin(), PART).wait(w.io.waitScope);
  while (told == 0) CHECK_FALSE(reading.poll(w.io.waitScope));
  CHECK(told == PART);
  SECTION("room") {
    room.fulfiller->fulfill();
    auto writing = w.pipe.ends[1]->write(bytes.begin(), bytes.size() - PART);
    CHECK(reading.wait(w.io.waitScope) == bytes.size());
  }
  SECTION("failure before there is room") {
    filter.failReads(KJ_EXCEPTION(FAILED, "too late"));
    CHECK(failureOf(kj::mv(reading), w.io.waitScope) == "too late");
  }
}

TEST_CASE("S01 a read that waits for bytes ends when reads are to fail") {
  World w;
  DescriptorFilter filter(kj::mv(w.pipe.ends[0]), getuid());
  char byte;
  auto reading = filter.tryRead(&byte, 1, 1);
  CHECK_FALSE(reading.poll(w.io.waitScope));
  filter.failReads(KJ_EXCEPTION(FAILED, "too late"));
  CHECK(failureOf(kj::mv(reading), w.io.waitScope) == "too late");
}

TEST_CASE("S01 a descriptor that lingers and was not read does not hold up who closes the socket") {
  World w;
  auto filter = kj::heap<DescriptorFilter>(kj::mv(w.pipe.ends[0]), getuid());
  w.send("unread");
  const auto begin = w.clock.now();
  filter = nullptr;
  CHECK(w.clock.now() - begin < LingeringSocket::LINGER / 2);
}

}  // namespace
}  // namespace bothy
