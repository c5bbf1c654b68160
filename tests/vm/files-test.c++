// Files of a real machine, through the command line as a user moves them.

#include <kj/debug.h>
#include <signal.h>
#include <catch2/catch_test_macros.hpp>

#include "support/background-client.h"
#include "support/command-line.h"
#include "support/host-memory.h"
#include "support/host-program.h"
#include "support/test-workspace.h"
#include "support/unnoticed-restart.h"

namespace bothy {
namespace {

constexpr uint64_t MIB = 1024 * 1024;

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

// The machine's memory is full of the file then, and what is left of it is in small pieces.
TEST_CASE("P18 a file larger than the machine's memory goes up and comes down whole") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.memoryMib = 512, .diskMib = 2048});
  CommandLine bothy(host);
  auto up = kj::str(host.directory(), "/up");
  auto down = kj::str(host.directory(), "/down");
  hostOutput({"/bin/dd"_kj, "if=/dev/urandom"_kj, kj::str("of=", up), "bs=1M"_kj, "count=768"_kj,
              "status=none"_kj});
  REQUIRE(bothy.run({"cp"_kj, up, "test:big"_kj}).status == 0);
  REQUIRE(bothy.run({"cp"_kj, "test:big"_kj, down}).status == 0);
  CHECK(digest(down) == digest(up));
}

TEST_CASE("P41 a copy goes on over restarts of bothyd, both ways, and leaves nothing else behind") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.diskMib = 1024});
  auto up = kj::str(host.directory(), "/up");
  auto down = kj::str(host.directory(), "/down");
  hostOutput({"/bin/mkdir"_kj, "-p"_kj, kj::str(up, "/tree"), down});
  hostOutput({"/bin/dd"_kj, "if=/dev/urandom"_kj, kj::str("of=", up, "/tree/file"), "bs=1M"_kj,
              "count=192"_kj, "status=none"_kj});
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
}

TEST_CASE("P44 a full disk is told as what it is, and the workspace goes on") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.diskMib = 256});
  CommandLine bothy(host);
  auto up = kj::str(host.directory(), "/up");
  // Data: a hole would find room.
  hostOutput({"/bin/dd"_kj, "if=/dev/zero"_kj, kj::str("of=", up), "bs=1M"_kj, "count=300"_kj,
              "status=none"_kj});
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

// What a tree is, a line an entry: kind, mode, time of modification, size, blocks, where a symlink leads and how
// many names it has.  A directory's size and blocks are its file system's matter.
constexpr kj::StringPtr DESCRIBE_TREE =
    "find . -type d -printf '%p d %m %T@\\n' -o -type l -printf '%p l %T@ %l\\n' "
    "-o -printf '%p %y %m %T@ %s %b %n\\n' | LC_ALL=C sort"_kj;

kj::String describeTree(kj::StringPtr path) {
  return hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("cd ", path, " && ", DESCRIBE_TREE)});
}

TEST_CASE("a tree goes up and comes down as cp -a has it") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  CommandLine bothy(host);
  auto tree = kj::str(host.directory(), "/tree");
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("umask 022; mkdir -p ", tree, "/a/b ", tree, "/private/below && cd ", tree,
                      " && echo one > a/one && echo two > 'a/b/zwei \303\274' && ln a/one a/again"
                      " && ln -s one a/link && ln -s /nowhere/at/all dangling"
                      " && printf x > \"$(printf 'raw\\377')\" && : > empty && echo s > .hidden"
                      " && dd if=/dev/urandom of=data bs=64k count=20 status=none"
                      " && truncate -s 10G hole && truncate -s 64M begin"
                      " && dd if=/dev/urandom of=begin bs=4k count=1 conv=notrunc status=none"
                      " && dd if=/dev/urandom of=end bs=4k count=1 seek=9999 status=none"
                      " && chmod 666 a/one && chmod 400 .hidden && chmod 777 'a/b' && chmod 700"
                      " private && chmod 500 private/below && touch -h -d @1.5 a/link"
                      " && touch -d @981173106.123456789 a/one empty && touch -d @-1 data"
                      " && touch -d @4102444800.000000001 a/b && touch -d @3 private && touch -d @2"
                      " .")});
  auto original = describeTree(tree);
  CHECK(bothy.run({"cp"_kj, tree, "test:tree"_kj}).status == 0);
  CHECK(workspace.shell(kj::str("cd tree && ", DESCRIBE_TREE)) ==
        original.slice(0, original.size() - 1));
  auto back = kj::str(host.directory(), "/back");
  CHECK(bothy.run({"cp"_kj, "test:tree"_kj, back}).status == 0);
  CHECK(describeTree(back) == original);
  CHECK(hostOutput({"/usr/bin/diff"_kj, "-r"_kj, "--no-dereference"_kj, "--exclude=hole"_kj, tree,
                    back}) == "");

  // Single files alike, and a tree that is there takes what comes.
  for (auto name : {"data", "begin", "hole", "empty", ".hidden", "dangling"}) {
    INFO(name);
    auto single = kj::str(host.directory(), "/single");
    hostOutput({"/bin/mkdir"_kj, single});
    CHECK(bothy.run({"cp"_kj, kj::str(tree, "/", name), kj::str("test:single-", name)}).status ==
          0);
    CHECK(bothy.run({"cp"_kj, kj::str("test:single-", name), kj::str(single, "/", name)}).status ==
          0);
    auto copied = describeTree(single);
    auto line = copied.slice(KJ_REQUIRE_NONNULL(copied.findFirst('\n')) + 1);
    CHECK(line.size() > 0);
    CHECK(strstr(original.cStr(), line.cStr()) != nullptr);
    hostOutput({"/bin/rm"_kj, "-rf"_kj, single});
  }
  workspace.shell("echo other > tree/other");
  CHECK(bothy.run({"cp"_kj, kj::str(tree, "/."), "test:tree"_kj}).status == 0);
  CHECK(workspace.shell("cat tree/other; ls -A . tree | grep -c bothy; :") == "other\n0");
}

TEST_CASE("P16 a file that is shorter than its size gives its bytes, and a broken end is told") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  CommandLine bothy(host);
  auto sysfs = "/sys/kernel/mm/transparent_hugepage"_kj;
  auto want = workspace.shell(kj::str("cat ", sysfs, "/enabled"));
  auto tree = kj::str(host.directory(), "/sysfs");
  REQUIRE(bothy.run({"cp"_kj, kj::str("test:", sysfs), tree}).status == 0);
  CHECK(hostOutput({"/bin/cat"_kj, kj::str(tree, "/enabled")}) == kj::str(want, "\n"));

  workspace.shell("head -c 30000000 /dev/urandom > big");
  auto piped = hostOutput(
      {"/bin/bash"_kj, "-c"_kj,
       kj::str(bothy.program(), " --socket ", host.socket(), " cp test:big - 2>", host.directory(),
               "/told | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}")});
  CHECK(piped == "141\n");
  CHECK(strstr(hostOutput({"/bin/cat"_kj, kj::str(host.directory(), "/told")}).cStr(),
               "standard output was closed") != nullptr);

  auto full = kj::str(host.directory(), "/full");
  hostOutput({"/bin/mkdir"_kj, full});
  hostOutput({"/bin/mount"_kj, "-t"_kj, "tmpfs"_kj, "-o"_kj, "size=1M"_kj, "none"_kj, full});
  auto copy = bothy.run({"cp"_kj, "test:big"_kj, full});
  auto rest = hostOutput({"/usr/bin/find"_kj, full, "-mindepth"_kj, "1"_kj});
  workspace.shell("mkdir d && mv big d/");
  auto treeCopy = bothy.run({"cp"_kj, "test:d"_kj, full});
  auto treeRest = hostOutput({"/usr/bin/find"_kj, full, "-mindepth"_kj, "1"_kj});
  hostOutput({"/bin/umount"_kj, full});
  CHECK(copy.status == 1);
  CHECK(strstr(copy.err.cStr(), "local disk") != nullptr);
  CHECK(rest == "");
  CHECK(treeCopy.status == 1);
  CHECK(strstr(treeCopy.err.cStr(), "local disk") != nullptr);
  CHECK(treeRest == "");
}

TEST_CASE("the home of a user comes from the workspace, and sysctls are root's") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  CommandLine bothy(host);
  auto up = kj::str(host.directory(), "/up");
  hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("echo text > ", up)});
  auto home = workspace.shell("sh -c 'getent passwd root | cut -d: -f6'");
  CHECK(bothy.run({"cp"_kj, "-u"_kj, "root"_kj, up, "test:up"_kj}).status == 0);
  CHECK(workspace.shell(kj::str("sudo cat ", home, "/up")) == "text");

  auto request = workspace.files().writeRequest();
  request.setPath("/proc/sys/kernel/core_pattern"_kj.asBytes());
  request.initOptions().setDisposition(rpc::Files::WriteOptions::Disposition::PATCH);
  auto response = host.wait(request.send().dropPipeline(), "the sysctl");
  REQUIRE(response.getOutcome().isFailed());
  CHECK(response.getOutcome().getFailed().getReason() ==
        rpc::FileFailure::Reason::PERMISSION_DENIED);
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
