// Files of a real machine, through the command line as a user moves them.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/command-line.h"
#include "support/host-memory.h"
#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

kj::String digest(kj::StringPtr path) {
  return kj::heapString(hostOutput({"/usr/bin/sha256sum"_kj, path}).slice(0, 64));
}

TEST_CASE("P18 256 MiB go up and come down whole, and nobody's memory grows") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.diskMib = 1024});
  CommandLine bothy(host);
  auto up = kj::str(host.directory(), "/up");
  auto down = kj::str(host.directory(), "/down");
  hostOutput({"/bin/dd"_kj, "if=/dev/urandom"_kj, kj::str("of=", up), "bs=1M"_kj, "count=256"_kj,
              "status=none"_kj});

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
}

TEST_CASE("P44 a full disk is told as what it is, and the workspace goes on") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.diskMib = 256});
  CommandLine bothy(host);
  auto up = kj::str(host.directory(), "/up");
  hostOutput({"/usr/bin/truncate"_kj, "--size=300M"_kj, up});
  auto copy = bothy.run({"cp"_kj, up, "test:big"_kj});
  CHECK(copy.status == 1);
  CHECK(strstr(copy.err.cStr(), "the workspace's disk is full") != nullptr);

  // To the last byte: what could not be written whole is gone, and took its space with it.
  workspace.shell("dd if=/dev/zero of=rest bs=1M 2>/dev/null; sync; ! echo more > more");
  TestTerminal terminal(workspace, {});
  terminal.waitForText("$");
  terminal.type("rm rest; echo removed $((6 * 7))\r");
  terminal.waitForText("removed 42");
  CHECK(workspace.shell("echo more > more; cat more") == "more");
}

TEST_CASE("P19 what is uploaded belongs to the user, with the directories made for it") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  auto request = workspace.files().writeRequest();
  request.setPath("/home/user/a/b/c/f"_kj.asBytes());
  request.initOptions().setMakeParents(true);
  auto response = host.wait(request.send().dropPipeline(), "the file");
  REQUIRE(response.getOutcome().isDone());
  auto sink = response.getSink();
  auto write = sink.writeRequest();
  write.setData("x"_kj.asBytes());
  host.wait(write.send(), "writing");
  host.wait(sink.endRequest().send().dropPipeline().ignoreResult(), "the end");
  CHECK(workspace.shell("stat -c '%U:%G %a' a a/b/c a/b/c/f") ==
        "user:user 755\nuser:user 755\nuser:user 644");
  CHECK(workspace.shell("rm -rf a && echo gone") == "gone");
}

TEST_CASE("a tree goes up and comes down as it was") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  CommandLine bothy(host);
  auto tree = kj::str(host.directory(), "/tree");
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("mkdir -p ", tree, "/a/b && cd ", tree,
                      " && echo one > a/one && echo two > 'a/b/zwei ü' && ln -s one a/link"
                      " && chmod 700 a/b && chmod 755 a/one && truncate -s 3M a/zeros")});
  CHECK(bothy.run({"cp"_kj, tree, "test:tree"_kj}).status == 0);
  CHECK(workspace.shell(
            "cat tree/a/one 'tree/a/b/zwei ü'; readlink tree/a/link; stat -c %a tree/a/b") ==
        "one\ntwo\none\n700");
  auto back = kj::str(host.directory(), "/back");
  CHECK(bothy.run({"cp"_kj, "test:tree"_kj, back}).status == 0);
  CHECK(hostOutput({"/usr/bin/diff"_kj, "-r"_kj, "--no-dereference"_kj, tree, back}) == "");
}

TEST_CASE("S06 a tree that a hostile guest sends writes nothing outside its target") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  CommandLine bothy(host);
  // The guest's tree points out of itself, and changes while it is read.
  workspace.shell(
      "mkdir -p tree/d && cd tree && echo data > d/file && ln -s ../../../../../etc/escaped out"
      " && ln -s / root && echo x > 'line\nbreak' && mkfifo pipe"
      " && (while :; do rm -rf d; ln -s /etc d; rm d; mkdir d; echo data > d/file; done"
      "     >/dev/null 2>&1 &)");
  auto target = kj::str(host.directory(), "/target");
  for (uint round = 0; round < 5; ++round) {
    // It may fail, since files come and go; it may not write elsewhere.
    bothy.run({"cp"_kj, "test:tree"_kj, kj::str(target, round)});
  }
  CHECK(hostOutput({"/bin/sh"_kj, "-c"_kj, "ls -d /etc/escaped /etc/file 2>/dev/null || :"_kj}) ==
        "");
  CHECK(hostOutput({"/usr/bin/find"_kj, host.directory(), "-name"_kj, "escaped"_kj}) == "");
  CHECK(hostOutput({"/usr/bin/find"_kj, host.directory(), "-perm"_kj, "/6000"_kj}) == "");
}

TEST_CASE("S11 a hostile archive that is sent into a workspace is refused and stays within it") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  // Named in the archive: ../escaped.
  auto archive = kj::str(host.directory(), "/hostile.tar");
  hostOutput(
      {"/bin/sh"_kj, "-c"_kj,
       kj::str("cd ", host.directory(), " && echo x > escaped && mkdir sub && tar -C sub -P -cf ",
               archive, " ../escaped")});
  auto bytes = hostOutput({"/bin/cat"_kj, archive});
  workspace.shell("mkdir inbox");
  auto request = workspace.files().importTreeRequest();
  request.setPath("/home/user/inbox"_kj.asBytes());
  auto response = host.wait(request.send().dropPipeline(), "the import");
  REQUIRE(response.getOutcome().isDone());
  auto sink = response.getSink();
  auto import = response.getImport();
  auto write = sink.writeRequest();
  write.setData(bytes.asBytes());
  // The archive may be refused before it was read to its end.
  auto sent = write.send().then([&]() { return sink.endRequest().send().ignoreResult(); });
  auto result = host.wait(import.resultRequest().send().dropPipeline(), "the result");
  REQUIRE(result.getOutcome().isFailed());
  CHECK(result.getOutcome().getFailed().getReason() == rpc::FileFailure::Reason::INVALID_ARCHIVE);
  CHECK(workspace.shell("ls -A inbox; ls -d escaped 2>/dev/null || :") == "");
}

}  // namespace
}  // namespace bothy
