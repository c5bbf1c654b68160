#include "supervisor/outcome.h"

#include <capnp/message.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("exit codes are those of a shell") {
  capnp::MallocMessageBuilder message;
  auto status = message.initRoot<rpc::ExitStatus>();
  status.setExited(7);
  CHECK(exitCodeOf(status) == 7);
  status.setKilled(9);
  CHECK(exitCodeOf(status) == 137);
  status.setLost();
  auto thrown = kj::runCatchingExceptions([&] { exitCodeOf(status); });
  CHECK(describe(KJ_REQUIRE_NONNULL(thrown)).exitCode == EXEC_FAILED);
}

TEST_CASE("start failures have the exit codes of a shell") {
  capnp::MallocMessageBuilder message;
  auto failed = message.initRoot<rpc::StartFailure>();
  failed.setSubject("nope\x1b");
  failed.setReason(rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
  auto notFound = describe(describeFailure(failed));
  CHECK(notFound.exitCode == 127);
  CHECK(notFound.message.startsWith("nope\\x1b: "));
  failed.setReason(rpc::StartFailure::Reason::PROGRAM_NOT_EXECUTABLE);
  CHECK(describe(describeFailure(failed)).exitCode == 126);
  failed.setReason(rpc::StartFailure::Reason::NO_SUCH_USER);
  CHECK(describe(describeFailure(failed)).exitCode == 125);
}

TEST_CASE("a workspace that is stopped is told with how to start it") {
  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Supervisor::ConnectOutcome>();
  outcome.setNotRunning(rpc::WorkspaceState::STOPPED);
  auto thrown = kj::runCatchingExceptions([&] { requireConnected("demo", outcome); });
  CHECK(describe(KJ_REQUIRE_NONNULL(thrown)).message ==
        "demo is not running (stopped): `bothy start demo`");
}

TEST_CASE("P30 a workspace that stands still is told with its reason") {
  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Supervisor::ConnectOutcome>();
  outcome.setStalled("the disk is full");
  auto thrown = kj::runCatchingExceptions([&] { requireConnected("demo", outcome); });
  CHECK(describe(KJ_REQUIRE_NONNULL(thrown)).message == "demo: the disk is full");
}

}  // namespace
}  // namespace bothy
