#include <stdlib.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

struct SetupFile {
  char directory[32] = "/tmp/bothy-cli-XXXXXX";
  kj::String path;
  explicit SetupFile(kj::StringPtr text) {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    auto root = kj::newDiskFilesystem()->getRoot().openSubdir(
        kj::Path::parse(kj::StringPtr(directory).slice(1)), kj::WriteMode::MODIFY);
    root->openFile(kj::Path("setup.json"), kj::WriteMode::CREATE)->writeAll(text);
    path = kj::str(directory, "/setup.json");
  }
  ~SetupFile() noexcept(false) {
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(directory).slice(1)));
  }
};

constexpr kj::StringPtr TWO_STEPS =
    R"({"environment": {"A": "1"}, "steps": [{"name": "Installing tools", "run": "make"}, {"name": "Cloning", "run": ["git"]}]})"_kj;

TEST_CASE("create passes variables, labels and steps on, and shows each step") {
  CommandTestWorld world;
  SetupFile file(TWO_STEPS);
  CHECK(world.run({"create", "-e", "B=x=y", "--label", "team=a", "--setup", file.path, "new"}) ==
        SUCCESS);
  auto& made = world.supervisor.setup.made;
  REQUIRE(made.size() == 4);
  CHECK(kj::strArray(made, " ") == "A=1 B=x=y Installing tools Cloning");
  CHECK(contains(world.errors(), "Installing tools (1/2)\n"));
  CHECK(contains(world.errors(), "Cloning (2/2)\n"));
  CHECK(contains(world.errors(), "new is running"));
}

TEST_CASE("create tells which step has failed and what to do, and the workspace runs") {
  CommandTestWorld world;
  SetupFile file(TWO_STEPS);
  world.supervisor.setup.failure = kj::str("step 1 (Installing tools): it exited with 3\x1b");
  CHECK(world.run({"create", "--setup", file.path, "new"}) == FAILURE);
  CHECK(contains(world.errors(), "new is running"));
  CHECK(contains(world.errors(),
                 "the set-up of new has failed: step 1 (Installing tools): it exited with 3\\x1b: "
                 "`bothy setup new --log 1` shows what it has said, `bothy setup new --retry` "
                 "tries again"));
}

TEST_CASE("create and start say what has become of a workspace that ended within its set-up") {
  CommandTestWorld world;
  SetupFile file(TWO_STEPS);
  world.supervisor.setup.state = rpc::WorkspaceState::FAILED;
  SECTION("create") {
    CHECK(world.run({"create", "--setup", file.path, "new"}) == FAILURE);
    CHECK(contains(world.errors(), "new has run, and is failed now: `bothy events new` shows why"));
  }
  SECTION("start") {
    CHECK(world.run({"start", "idle"}) == FAILURE);
    CHECK(contains(world.errors(), "idle has run, and is failed now"));
  }
  CHECK_FALSE(contains(world.errors(), "is running"));
}

TEST_CASE("create --json prints the workspace with its labels, also where its set-up has failed") {
  CommandTestWorld world;
  SetupFile file(TWO_STEPS);
  world.supervisor.setup.failure = kj::str("step 1 (x): it exited with 3");
  CHECK(world.run({"create", "--json", "--label", "team=a", "--setup", file.path, "new"}) ==
        FAILURE);
  CHECK(contains(world.out(), "\"failed\":\"step 1 (x): it exited with 3\""));
  CHECK(contains(world.out(), "{\"key\":\"team\",\"value\":\"a\"}"));
}

TEST_CASE("create refuses what is no pair or no set-up file before it asks") {
  CommandTestWorld world;
  CHECK(world.run({"create", "-e", "B", "new"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--env wants a name, = and a text, not B"));
  CHECK(world.run({"create", "--label", "=a", "new"}) == WRONG_USAGE);
  CHECK(world.run({"create", "--setup", "/no/such/file", "new"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--setup: /no/such/file: No such file or directory"));
  CHECK(world.supervisor.setup.made.size() == 0);
}

TEST_CASE("setup shows the steps, and its exit code says whether one has failed") {
  CommandTestWorld world;
  CHECK(world.run({"setup", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "1     done   Installing tools"));
  world.supervisor.setup.failure = kj::str("it exited with 3");
  CHECK(world.run({"setup", "demo"}) == FAILURE);
  CHECK(contains(world.out(), "2     failed  Cloning           it exited with 3"));
  CHECK(world.run({"setup", "--json", "demo"}) == FAILURE);
  CHECK(contains(world.out(), "\"state\":\"failed\",\"detail\":\"it exited with 3\""));
}

TEST_CASE("setup of a workspace without steps says so") {
  CommandTestWorld world;
  CHECK(world.run({"setup", "idle"}) == SUCCESS);
  CHECK(contains(world.errors(), "idle has no set-up steps"));
}

TEST_CASE("setup --retry begins again, and --wait returns when nothing is being done") {
  CommandTestWorld world;
  world.supervisor.setup.failure = kj::str("it exited with 3");
  world.supervisor.setup.goesOnFor = 3;
  world.start({"setup", "--retry", "--wait", "demo"});
  for (int i = 0; i < 3; i++) {
    world.settle();
    CHECK_FALSE(world.isDone());
    world.advance(500 * kj::MILLISECONDS);
  }
  CHECK(world.wait() == SUCCESS);
  CHECK(world.supervisor.setup.retries == 1);
  CHECK(contains(world.out(), "2     done   Cloning"));
}

TEST_CASE("setup tells why it cannot do what is asked, and what to do") {
  CommandTestWorld world;
  CHECK(world.run({"setup", "other"}) == FAILURE);
  CHECK(contains(world.errors(), "there is no workspace other"));
  CHECK(world.run({"setup", "--retry", "idle"}) == FAILURE);
  CHECK(contains(world.errors(), "idle does not run (stopped): `bothy start idle`"));
  CHECK(world.run({"setup", "--retry", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), "no step of demo has failed"));
  CHECK(world.run({"setup", "old"}) == FAILURE);
  CHECK(contains(world.errors(), "old runs an agent that knows no set-up (generation 4)"));
  CHECK(world.run({"setup", "--log", "3", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), "demo has 2 set-up steps, and no step 3"));
  CHECK(world.run({"setup", "--log", "x", "demo"}) == WRONG_USAGE);
  CHECK(world.run({"setup", "--log", "1", "--retry", "demo"}) == WRONG_USAGE);
}

TEST_CASE("ls shows labels, and asks for those that are wanted") {
  CommandTestWorld world;
  CHECK(world.run({"ls"}) == SUCCESS);
  CHECK(contains(world.out(), "LABELS"));
  CHECK(world.run({"ls", "--label", "team=a=b"}) == SUCCESS);
  CHECK(world.supervisor.wantedLabels == "team=a=b");
  CHECK(world.run({"ls", "--label", "team"}) == WRONG_USAGE);
}

}  // namespace
}  // namespace bothy
