#include "supervisor/connector.h"

#include <stdlib.h>
#include <string.h>
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
  SocketConnector connector(*io.lowLevelProvider, io.provider->getTimer(), path,
                            [](kj::StringPtr) {});
  auto thrown = kj::runCatchingExceptions([&] { connector.connect(); });
  auto failure = describe(KJ_REQUIRE_NONNULL(thrown));
  CHECK(failure.exitCode == FAILURE);
  CHECK(failure.message.startsWith(kj::str("bothyd is not running at ", path, ": start it")));
}

TEST_CASE("the path of a socket is kept by who connects to it") {
  auto io = kj::setupAsyncIo();
  // What an option gave may be gone before the command connects: here it becomes another text.
  auto given = kj::str("/nowhere/given.sock");
  SocketConnector connector(*io.lowLevelProvider, io.provider->getTimer(), given,
                            [](kj::StringPtr) {});
  auto connectsTo = [&](kj::StringPtr path) {
    auto thrown = kj::runCatchingExceptions([&] { connector.connect(); });
    return describe(KJ_REQUIRE_NONNULL(thrown))
        .message.startsWith(kj::str("bothyd is not running at ", path, ": "));
  };
  memset(given.begin(), 'x', given.size());
  CHECK(connectsTo("/nowhere/given.sock"));

  auto option = kj::str("/nowhere/option.sock");
  connector.useSocket(option);
  memset(option.begin(), 'x', option.size());
  CHECK(connectsTo("/nowhere/option.sock"));
}

TEST_CASE("a socket path that is too long is refused") {
  auto io = kj::setupAsyncIo();
  auto path = kj::str("/", kj::strArray(kj::repeat("x"_kj, 200), ""));
  SocketConnector connector(*io.lowLevelProvider, io.provider->getTimer(), path,
                            [](kj::StringPtr) {});
  CHECK(kj::runCatchingExceptions([&] { connector.connect(); }) != nullptr);
}

TEST_CASE("that bothyd does not answer is said once, after a while") {
  auto io = kj::setupAsyncIo();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  char directory[] = "/tmp/bothy-connector-XXXXXX";
  KJ_REQUIRE(mkdtemp(directory) != nullptr);
  auto path = kj::str(directory, "/bothyd.sock");
  KJ_DEFER(unlink(path.cStr()); rmdir(directory));
  // Nobody accepts.
  auto listening =
      io.provider->getNetwork().parseAddress(kj::str("unix:", path)).wait(io.waitScope)->listen();
  kj::Vector<kj::String> notes;
  SocketConnector connector(*io.lowLevelProvider, timer, path,
                            [&](kj::StringPtr text) { notes.add(kj::str(text)); });
  auto pass = [&](kj::Duration time) {
    timer.advanceTo(timer.now() + time);
    io.waitScope.poll();
  };
  auto first = connector.connect(), second = connector.connect();
  pass(SocketConnector::SILENCE - 1 * kj::MILLISECONDS);
  CHECK(notes.size() == 0);
  pass(1 * kj::MILLISECONDS);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].startsWith(kj::str("bothyd at ", path, " does not answer")));
  auto third = connector.connect();
  pass(SocketConnector::SILENCE);
  CHECK(notes.size() == 1);
}

}  // namespace
}  // namespace bothy
