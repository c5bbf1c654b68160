#include "supervisor/connector.h"

#include <stdlib.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("a missing bothyd is told with what to do") {
  auto io = kj::setupAsyncIo();
  char directory[] = "/tmp/bothy-connector-XXXXXX";
  KJ_REQUIRE(mkdtemp(directory) != nullptr);
  KJ_DEFER(rmdir(directory));
  auto path = kj::str(directory, "/bothyd.sock");
  SocketConnector connector(*io.lowLevelProvider, path);
  auto thrown = kj::runCatchingExceptions([&] { connector.connect(); });
  auto failure = describe(KJ_REQUIRE_NONNULL(thrown));
  CHECK(failure.exitCode == FAILURE);
  CHECK(failure.message.startsWith(kj::str("bothyd is not running at ", path, ": start it")));
}

TEST_CASE("a socket path that is too long is refused") {
  auto io = kj::setupAsyncIo();
  auto path = kj::str("/", kj::strArray(kj::repeat("x"_kj, 200), ""));
  SocketConnector connector(*io.lowLevelProvider, path);
  CHECK(kj::runCatchingExceptions([&] { connector.connect(); }) != nullptr);
}

}  // namespace
}  // namespace bothy
