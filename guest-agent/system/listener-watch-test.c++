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

TEST_CASE("where no program can be attached an agent serves all the same") {
  auto io = kj::setupAsyncIo();
  ListenerWatch watch(io.unixEventPort, "/no/such/group",
                      [](ListenerWatch::Change, ListenedPort) {});
}

}  // namespace
}  // namespace bothy
