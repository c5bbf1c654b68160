// Large files of a real machine, through the command line as a user moves them.  All scenarios share a host.

#include <kj/debug.h>
#include <signal.h>
#include <stdlib.h>
#include <catch2/catch_test_macros.hpp>

#include "support/background-client.h"
#include "support/command-line.h"
#include "support/host-memory.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"
#include "support/unnoticed-restart.h"

namespace bothy {
namespace {

constexpr uint64_t MIB = 1024 * 1024;

kj::String digest(kj::StringPtr path) {
  return kj::heapString(hostOutput({"/usr/bin/sha256sum"_kj, path}).slice(0, 64));
}

SharedWorkspace& roomyWorkspace() {
  return sharedWorkspace({.diskMib = 1024});
}

bool isFull() {
  return getenv("BOTHY_FULL") != nullptr;
}

TEST_CASE("P18 many MiB go up and come down whole, and nobody's memory grows") {
  auto& [host, workspace] = roomyWorkspace();
  CommandLine bothy(host);
  auto up = kj::str(host.directory(), "/up");
  auto down = kj::str(host.directory(), "/down");
  hostOutput({"/bin/dd"_kj, "if=/dev/urandom"_kj, kj::str("of=", up), "bs=1M"_kj,
              isFull() ? "count=256"_kj : "count=96"_kj, "status=none"_kj});

  const uint64_t agentBefore = workspace.health().getAgentMemoryBytes();
  const uint64_t daemonBefore = residentBytes(host.pid());
  CHECK(bothy.run({"cp"_kj, up, "test:big"_kj}).status == 0);
  CHECK(workspace.shell("sha256sum < ~/big").slice(0, 64) == digest(up));
  CHECK(bothy.run({"cp"_kj, "test:big"_kj, down}).status == 0);
  CHECK(digest(down) == digest(up));

  constexpr uint64_t ALLOWED_AGENT_BYTES = 2 * 1024 * 1024;
  constexpr uint64_t ALLOWED_DAEMON_BYTES = 8 * 1024 * 1024;
  CHECK(workspace.health().getAgentMemoryBytes() < agentBefore + ALLOWED_AGENT_BYTES);
  CHECK(residentBytes(host.pid()) < daemonBefore + ALLOWED_DAEMON_BYTES);
  hostOutput({"/bin/rm"_kj, up, down});
  workspace.shell("rm ~/big");
}

// The machine's memory is full of the file then, and what is left of it is in small pieces.
TEST_CASE("P18 a file larger than the machine's memory goes up and comes down whole") {
  auto& host = roomyWorkspace().host;
  TestWorkspace workspace(host, {.name = "small", .memoryMib = 256, .diskMib = 1024});
  CommandLine bothy(host);
  auto up = kj::str(host.directory(), "/up");
  auto down = kj::str(host.directory(), "/down");
  hostOutput({"/bin/dd"_kj, "if=/dev/urandom"_kj, kj::str("of=", up), "bs=1M"_kj,
              isFull() ? "count=384"_kj : "count=288"_kj, "status=none"_kj});
  REQUIRE(bothy.run({"cp"_kj, up, "small:big"_kj}).status == 0);
  REQUIRE(bothy.run({"cp"_kj, "small:big"_kj, down}).status == 0);
  CHECK(digest(down) == digest(up));
  host.deleteWorkspace(workspace.name);
  hostOutput({"/bin/rm"_kj, up, down});
}

TEST_CASE("P41 a copy goes on over restarts of bothyd, both ways, and leaves nothing else behind") {
  auto& [host, workspace] = roomyWorkspace();
  auto up = kj::str(host.directory(), "/up");
  auto down = kj::str(host.directory(), "/down");
  hostOutput({"/bin/mkdir"_kj, "-p"_kj, kj::str(up, "/tree"), down});
  hostOutput({"/bin/dd"_kj, "if=/dev/urandom"_kj, kj::str("of=", up, "/tree/file"), "bs=1M"_kj,
              "count=96"_kj, "status=none"_kj});
  workspace.shell("mkdir ~/in");

  // The copy stands still while bothyd ends, so that it is not over before that; it goes on without a bothyd, and when the next one
  // starts.
  auto copy = [&](kj::StringPtr from, kj::StringPtr to) {
    const auto lanes = lanesBegun(host);
    BackgroundClient client(host, {"cp"_kj, from, to});
    // By SIGTERM first: the first bothyd has the lane, which the second has not.
    for (auto signal : {SIGTERM, SIGKILL}) {
      client.awaitTransfer((signal == SIGTERM ? 8 : 40) * MIB);
      client.stop();
      // The copy's, and the test's own.
      awaitConnections(workspace, 2);
      host.stop(signal);
      client.resume();
      host.start();
      CHECK(client.isRunning());
    }
    auto finished = client.finish();
    INFO(finished.err.cStr());
    CHECK(finished.status == 0);
    CHECK(lanesBegun(host) == lanes + 1);
    // A client that waited for bothyd says so.
    CHECK(strstr(finished.err.cStr(), "bothy:") == nullptr);
    host.supervisor();
  };

  copy(kj::str(up, "/tree/file"), "test:in/file");
  CHECK(workspace.shell("ls -A ~/in") == "file");
  CHECK(workspace.shell("sha256sum < ~/in/file").slice(0, 64) == digest(kj::str(up, "/tree/file")));
  copy("test:in/file", kj::str(down, "/file"));
  CHECK(hostOutput({"/bin/ls"_kj, "-A"_kj, down}) == "file\n");
  CHECK(digest(kj::str(down, "/file")) == digest(kj::str(up, "/tree/file")));

  workspace.shell("rm ~/in/file");
  hostOutput({"/bin/rm"_kj, kj::str(down, "/file")});
  copy(kj::str(up, "/tree"), "test:in/tree");
  CHECK(workspace.shell("cd ~/in && find . | sort") == ".\n./tree\n./tree/file");
  copy("test:in/tree", kj::str(down, "/tree"));
  hostOutput({"/usr/bin/diff"_kj, "-r"_kj, up, down});
  hostOutput({"/bin/rm"_kj, "-r"_kj, up, down});
  workspace.shell("rm -r ~/in");
}

TEST_CASE("P44 a full disk is told as what it is, and the workspace goes on") {
  auto& host = roomyWorkspace().host;
  TestWorkspace workspace(host, {.name = "full", .diskMib = 256});
  CommandLine bothy(host);
  auto up = kj::str(host.directory(), "/up");
  // Data: a hole would find room.
  hostOutput({"/bin/dd"_kj, "if=/dev/zero"_kj, kj::str("of=", up), "bs=1M"_kj, "count=300"_kj,
              "status=none"_kj});
  auto copy = bothy.run({"cp"_kj, up, "full:big"_kj});
  CHECK(copy.status == 1);
  CHECK(strstr(copy.err.cStr(), "the workspace's disk is full") != nullptr);

  // To the last byte: what could not be written whole is gone, and took its space with it.
  workspace.shell("dd if=/dev/zero of=rest bs=1M 2>/dev/null; sync; ! echo more > more");
  TestTerminal terminal(workspace, {});
  terminal.waitForText("$");
  terminal.type("rm rest; echo removed $((6 * 7))\r");
  terminal.waitForText("removed 42");
  CHECK(workspace.shell("echo more > more; cat more") == "more");
  host.deleteWorkspace(workspace.name);
  hostOutput({"/bin/rm"_kj, up});
}

}  // namespace
}  // namespace bothy
