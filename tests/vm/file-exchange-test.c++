// What goes into a real machine and comes out of it.  All scenarios share it.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/command-line.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

TEST_CASE("P19 what is uploaded belongs to the user, with the directories made for it") {
  auto& [host, workspace] = sharedWorkspace();
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
  auto& [host, workspace] = sharedWorkspace();
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
  auto& [host, workspace] = sharedWorkspace();
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
  auto& [host, workspace] = sharedWorkspace();
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
  auto& [host, workspace] = sharedWorkspace();
  CommandLine bothy(host);
  // The guest's tree points out of itself, and changes while it is read.
  workspace.shell(
      "mkdir -p hostile/d && cd hostile && echo data > d/file && ln -s ../../../../../etc/escaped "
      "out"
      " && ln -s / root && echo x > 'line\nbreak' && mkfifo pipe"
      " && (while :; do rm -rf d; ln -s /etc d; rm d; mkdir d; echo data > d/file; done"
      "     >/dev/null 2>&1 & echo $! > ../busy)");
  auto target = kj::str(host.directory(), "/target");
  for (uint round = 0; round < 5; ++round) {
    // It may fail, since files come and go; it may not write elsewhere.
    bothy.run({"cp"_kj, "test:hostile"_kj, kj::str(target, round)});
  }
  workspace.shell("kill $(cat busy)");
  CHECK(hostOutput({"/bin/sh"_kj, "-c"_kj, "ls -d /etc/escaped /etc/file 2>/dev/null || :"_kj}) ==
        "");
  CHECK(hostOutput({"/usr/bin/find"_kj, host.directory(), "-name"_kj, "escaped"_kj}) == "");
  CHECK(hostOutput({"/usr/bin/find"_kj, host.directory(), "-perm"_kj, "/6000"_kj}) == "");
}

TEST_CASE("S11 a hostile archive that is sent into a workspace is refused and stays within it") {
  auto& [host, workspace] = sharedWorkspace();
  // Named in the archive: ../stray.
  auto archive = kj::str(host.directory(), "/hostile.tar");
  hostOutput(
      {"/bin/sh"_kj, "-c"_kj,
       kj::str("cd ", host.directory(), " && echo x > stray && mkdir sub && tar -C sub -P -cf ",
               archive, " ../stray")});
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
  CHECK(workspace.shell("ls -A inbox; ls -d stray 2>/dev/null || :") == "");
}

}  // namespace
}  // namespace bothy
