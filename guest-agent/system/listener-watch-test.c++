#include "system/listener-watch.h"

#include <kj/async-io.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a port is opened by the first who listens there and closed with the last") {
  ListenedPorts ports;
  const ListenedPort web = {8080, false}, own = {8080, true};
  CHECK(ports.add(web));
  CHECK_FALSE(ports.add(web));
  CHECK(ports.add(own));
  CHECK_FALSE(ports.remove(web));
  CHECK(ports.remove(web));
  CHECK(ports.remove(own));
  // One that was opened before anybody watched.
  CHECK_FALSE(ports.remove(web));
}

TEST_CASE("S42 ports that programs open take a bounded part of the agent's memory") {
  ListenedPorts ports;
  size_t told = 0;
  for (uint32_t number = 1; number < 60000; number++) {
    told += ports.add({static_cast<uint16_t>(number), false});
  }
  CHECK(told == MAX_LISTENED_PORTS);
  CHECK(ports.remove({1, false}));
  CHECK(ports.add({60000, false}));
}

TEST_CASE("after a port whose end was lost others are told of all the same") {
  ListenedPorts ports;
  for (size_t number = 1; number <= MAX_LISTENED_PORTS; number++) {
    CHECK(ports.add({static_cast<uint16_t>(number), false}));
  }
  CHECK_FALSE(ports.add({8080, false}));
  ports.beginAnew();
  CHECK(ports.add({8080, false}));
  // One of whose beginning nothing is known.
  CHECK_FALSE(ports.remove({1, false}));
  CHECK(ports.add({1, false}));
}

TEST_CASE("reports are missing behind those that were there when the row was full, and once") {
  MissingReports missing;
  CHECK_FALSE(missing.areBefore(0));
  missing.noteFull(8160);
  CHECK_FALSE(missing.areBefore(0));
  CHECK_FALSE(missing.areBefore(8120));
  CHECK(missing.areBefore(8160));
  CHECK_FALSE(missing.areBefore(8160));
  CHECK_FALSE(missing.areBefore(8200));
  missing.noteFull(16000);
  missing.noteFull(16040);
  CHECK_FALSE(missing.areBefore(16000));
  CHECK(missing.areBefore(16040));
}

TEST_CASE("where no program can be attached an agent serves all the same") {
  auto io = kj::setupAsyncIo();
  ListenerWatch watch(io.unixEventPort, "/no/such/group",
                      [](ListenerWatch::Change, ListenedPort) {});
}

}  // namespace
}  // namespace bothy
