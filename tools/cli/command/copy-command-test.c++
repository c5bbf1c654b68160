#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <capnp/compat/json.h>
#include <capnp/message.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/copy-test-world.h"
#include "console/failure.h"
#include "result/cli.capnp.h"
#include "tree/test-tar.h"

namespace bothy {
namespace {

TEST_CASE("cp takes a file out of a workspace, whole and with its mode") {
  CopyWorld world;
  auto text = longText();
  world.makeRemote("/etc/script", text, 0755);
  CHECK(world.run({"cp", "demo:/etc/script", world.directory}) == SUCCESS);
  CHECK(world.names() == "script");
  CHECK(world.local->openFile(kj::Path({"script"}))->readAllText() == text);
  CHECK(access(world.path("script").cStr(), X_OK) == 0);
}

TEST_CASE("cp with --json prints numbers, and their schema is Copied") {
  CopyWorld world;
  world.makeRemote("/f", "12345");
  CHECK(world.run({"cp", "--json", "demo:/f", world.directory}) == SUCCESS);
  auto text = world.out();
  CHECK(text == "{\"bytes\":5,\"entries\":1,\"skipped\":0,\"millis\":0}\n");
  capnp::MallocMessageBuilder message;
  auto copied = message.initRoot<result::Copied>();
  capnp::JsonCodec codec;
  codec.setRejectUnknownFields(true);
  codec.decode(text, copied);
  CHECK(copied.getBytes() == 5);
}

TEST_CASE("cp says of a socket that it has nothing to copy") {
  CopyWorld world;
  auto path = world.path("sock");
  auto& network = world.io.provider->getNetwork();
  auto socket = network.parseAddress(kj::str("unix:", path)).wait(world.io.waitScope)->listen();
  CHECK(world.run({"cp", path, "demo:/x"}) == FAILURE);
  CHECK(world.errors() ==
        kj::str("bothy: ", path, ": it is a socket or a device, and has no contents to copy\n"));
}

TEST_CASE("cp asks for no right to write where it only reads") {
  CopyWorld world;
  world.makeRemote("/x", "out of it");
  CHECK(world.run({"cp", "demo:/x", "-"}) == SUCCESS);
  CHECK(world.supervisor.files.access == rpc::FileAccess::READ);
}

TEST_CASE("cp leaves no half file when the connection breaks and bothyd does not come back") {
  CopyWorld world;
  world.makeRemote("/big", longText());
  KJ_REQUIRE_NONNULL(world.supervisor.files.find("/big"_kj)).stopsInTheMiddle = true;
  world.local->openFile(kj::Path({"big"}), kj::WriteMode::CREATE)->writeAll("old");
  world.start({"cp", "demo:/big", world.directory});
  CHECK(world.local->listNames().size() == 2);  // the old one and what is coming
  world.supervisor.down = true;
  world.supervisor.breakConnections();
  for (int i = 0; i < 40; ++i) world.advance(1 * kj::SECONDS);
  CHECK(world.wait() == FAILURE);
  CHECK(world.names() == "big");
  CHECK(world.local->openFile(kj::Path({"big"}))->readAllText() == "old");
}

TEST_CASE("cp puts a file into a workspace, relative paths in the home") {
  CopyWorld world;
  auto text = longText();
  world.local->openFile(kj::Path({"notes"}), kj::WriteMode::CREATE)->writeAll(text);
  CHECK(world.run({"cp", world.path("notes"), "demo:copy"}) == SUCCESS);
  CHECK(KJ_REQUIRE_NONNULL(world.remote("/home/user/copy")) == text);

  world.supervisor.files.put("/home/user", {.bytes = nullptr, .directory = true});
  CHECK(world.run({"cp", world.path("notes"), "demo:"}) == SUCCESS);
  CHECK(KJ_REQUIRE_NONNULL(world.remote("/home/user/notes")) == text);
}

TEST_CASE("cp copies standard input and output as -") {
  CopyWorld world;
  world.makeRemote("/x", "out of it");
  CHECK(world.run({"cp", "demo:/x", "-"}) == SUCCESS);
  CHECK(world.out() == "out of it");

  world.start({"cp", "-", "demo:/y"});
  world.type("into ");
  world.type("it");
  CHECK(world.remote("/y") == nullptr);
  world.closeInput();
  CHECK(world.wait() == SUCCESS);
  CHECK(KJ_REQUIRE_NONNULL(world.remote("/y")) == "into it");
}

TEST_CASE("cp that is interrupted leaves nothing at either end") {
  CopyWorld world;
  world.start({"cp", "-", "demo:/y"});
  world.type("half");
  world.signal(SIGINT);
  CHECK(world.wait() == 128 + SIGINT);
  world.settle();
  CHECK(world.remote("/y") == nullptr);
}

TEST_CASE("P16 cp of standard input that cannot be read says why, and leaves nothing") {
  for (kj::StringPtr typed : {""_kj, "half"_kj}) {
    CopyWorld world;
    world.start({"cp", "-", "demo:/y"});
    if (typed.size() > 0) world.type(typed);
    world.breakInput(failure("cannot read standard input: Is a directory"));
    REQUIRE(world.isDone());
    CHECK(world.wait() == FAILURE);
    CHECK(world.errors() == "bothy: cannot read standard input: Is a directory\n");
    world.settle();
    CHECK(world.remote("/y") == nullptr);
  }
}

// An archive of one file, with nothing after it.
kj::Array<kj::byte> treeOf(kj::StringPtr name, kj::StringPtr text, kj::uint mode = 0644) {
  return TestTar().directory(".", 0750).file(name, text, mode).finish();
}

TEST_CASE("cp takes a tree out of a workspace, whole, into what is there under its name") {
  CopyWorld world;
  world.makeTree("/tree", treeOf("f", "x"));
  CHECK(world.run({"cp", "demo:/tree", world.directory}) == SUCCESS);
  CHECK(world.names() == "tree");
  auto tree = world.local->openSubdir(kj::Path({"tree"}), kj::WriteMode::MODIFY);
  CHECK(tree->openFile(kj::Path({"f"}))->readAllText() == "x");
  struct stat status{};
  KJ_SYSCALL(stat(world.path("tree").cStr(), &status));
  CHECK((status.st_mode & 07777) == 0750);

  tree->openFile(kj::Path({"kept"}), kj::WriteMode::CREATE)->writeAll("kept");
  world.makeTree("/tree", treeOf("f", "newer"));
  CHECK(world.run({"cp", "demo:/tree", world.directory}) == SUCCESS);
  CHECK(tree->openFile(kj::Path({"f"}))->readAllText() == "newer");
  CHECK(kj::strArray(tree->listNames(), " ") == "f kept");
}

TEST_CASE("P12 cp of a tree that is interrupted ends, and leaves nothing at either end") {
  CopyWorld world;
  world.makeTree("/tree", TestTar().file("f", "x").take(), true);
  world.start({"cp", "demo:/tree", world.directory});
  world.settle();
  CHECK(world.local->listNames().size() == 1);  // what is coming
  world.signal(SIGINT);
  CHECK(world.wait() == 128 + SIGINT);
  CHECK(world.names() == "");
}

TEST_CASE("P16 cp tells when its own side takes no more, and leaves nothing") {
  CopyWorld world;
  world.makeRemote("/big", longText());
  rlimit before{};
  KJ_SYSCALL(getrlimit(RLIMIT_FSIZE, &before));
  // As a full disk: the file may have so much and no more.
  auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {4096, before.rlim_max};
  KJ_SYSCALL(setrlimit(RLIMIT_FSIZE, &small));
  auto code = world.run({"cp", "demo:/big", world.path("big")});
  KJ_SYSCALL(setrlimit(RLIMIT_FSIZE, &before));
  ::signal(SIGXFSZ, handler);
  CHECK(code == FAILURE);
  CHECK(world.names() == "");
  CHECK(strstr(world.errors().cStr(), "big: cannot write: File too large") != nullptr);
}

TEST_CASE("S06 cp takes no more of a file than it was said to have") {
  CopyWorld world;
  world.supervisor.files.put(
      "/liar", {.bytes = kj::heapArray(longText().asBytes()), .saidSize = uint64_t{1024}});
  CHECK(world.run({"cp", "demo:/liar", world.directory}) == FAILURE);
  CHECK(world.names() == "");
  CHECK(strstr(world.errors().cStr(), "more comes than the 1024 bytes") != nullptr);

  world.supervisor.files.put("/huge", {.bytes = nullptr, .saidSize = uint64_t{1} << 40});
  CHECK(world.run({"cp", "--max", "1G", "demo:/huge", world.directory}) == FAILURE);
  CHECK(strstr(world.errors().cStr(), "more than --max allows") != nullptr);
}

TEST_CASE("S06 --max holds for standard output, and for what says that it has nothing") {
  CopyWorld world;
  constexpr size_t MEBIBYTE = 1 << 20;
  auto two = kj::str(kj::repeat('x', 2 * MEBIBYTE));
  world.makeRemote("/big", two);
  CHECK(world.run({"cp", "--max", "1M", "demo:/big", "-"}) == FAILURE);
  CHECK(world.out() == "");
  CHECK(world.run({"cp", "--max", "2M", "demo:/big", "-"}) == SUCCESS);
  CHECK(world.out().size() == 2 * MEBIBYTE);

  world.supervisor.files.put("/empty",
                             {.bytes = kj::heapArray(two.asBytes()), .saidSize = uint64_t{0}});
  auto before = world.out().size();
  CHECK(world.run({"cp", "--max", "1M", "demo:/empty", "-"}) == FAILURE);
  CHECK(world.out().size() - before <= MEBIBYTE);
  CHECK(world.run({"cp", "--max", "1M", "demo:/empty", world.directory}) == FAILURE);
  CHECK(world.names() == "");
  CHECK(world.run({"cp", "--max", "2M", "demo:/empty", world.directory}) == SUCCESS);
}

TEST_CASE("S06 --max may be less than a MiB") {
  CopyWorld world;
  world.makeRemote("/small", kj::str(kj::repeat('x', 1025)));
  CHECK(world.run({"cp", "--max", "1K", "demo:/small", "-"}) == FAILURE);
  CHECK(world.run({"cp", "--max", "2K", "demo:/small", "-"}) == SUCCESS);
  CHECK(world.run({"cp", "--max", "0", "demo:/small", "-"}) == WRONG_USAGE);
  CHECK(world.run({"cp", "--max", "little", "demo:/small", "-"}) == WRONG_USAGE);
}

TEST_CASE("a copy into a workspace refuses --max") {
  CopyWorld world;
  world.local->openFile(kj::Path({"a"}), kj::WriteMode::CREATE)->writeAll("x");
  CHECK(world.run({"cp", "--max", "1M", world.path("a"), "demo:/a"}) == WRONG_USAGE);
  CHECK(world.remote("/a") == nullptr);
}

TEST_CASE("S06 a single file leaves some of the local disk free, or says that it would not") {
  CopyWorld world;
  auto disk = world.path("disk");
  KJ_SYSCALL(mkdir(disk.cStr(), 0755));
  if (mount("none", disk.cStr(), "tmpfs", 0, "size=1M") < 0) SKIP("this user may not mount");
  KJ_DEFER(umount(disk.cStr()));
  world.makeRemote("/big", kj::str(kj::repeat('x', 2 << 20)));
  CHECK(world.run({"cp", "demo:/big", disk}) == FAILURE);
  CHECK(strstr(world.errors().cStr(), "would fill the local disk") != nullptr);
  auto inDisk = world.local->openSubdir(kj::Path({"disk"}));
  CHECK(inDisk->listNames().size() == 0);
}

TEST_CASE("S06 a workspace does not choose the name of what is copied out of it") {
  CopyWorld world;
  auto& files = world.supervisor.files;
  files.home = kj::str("/x/.ssh");
  world.makeTree("/x/.ssh", treeOf("authorized_keys", "x"));
  for (auto source : {"demo:", "demo:~", "demo:~/"}) {
    CHECK(world.run({"cp", source, world.directory}) == SUCCESS);
    CHECK(world.names() == "demo");
  }
  world.local->remove(kj::Path({"demo"}));
  files.home = kj::str("/x/.bashrc");
  world.makeRemote("/x/.bashrc", "x");
  CHECK(world.run({"cp", "demo:~", world.directory}) == SUCCESS);
  CHECK(world.names() == "demo");
  CHECK(world.run({"cp", "demo:~", world.path("named")}) == SUCCESS);
  CHECK(world.names() == "demo named");
}

TEST_CASE("S06 a home that is no path is refused, and S08 shown as text") {
  CopyWorld world;
  world.local->openFile(kj::Path({"a"}), kj::WriteMode::CREATE)->writeAll("x");
  for (auto home : {"/h/..\0x"_kj, "relative"_kj, "/\x1b[2J"_kj}) {
    world.supervisor.files.home = kj::str(home);
    CHECK(world.run({"cp", "demo:~", world.directory}) == FAILURE);
    CHECK(world.run({"cp", world.path("a"), "demo:full/a"}) == FAILURE);
  }
  world.supervisor.files.home = kj::str("/full/\xc2\x9b");  // a control of eight bits
  CHECK(world.run({"cp", world.path("a"), "demo:a"}) == FAILURE);
  CHECK(world.names() == "a");
  auto errors = world.errors();
  CHECK(strstr(errors.cStr(), "tells a home that is no path (/\\x1b[2J)") != nullptr);
  CHECK(strstr(errors.cStr(), "/full/\\u{9b}/a") != nullptr);
  CHECK(strstr(errors.cStr(), "\x1b") == nullptr);
  CHECK(strstr(errors.cStr(), "\xc2\x9b") == nullptr);
}

TEST_CASE("cp keeps modes and times of single files, whatever the umask") {
  CopyWorld world;
  world.supervisor.files.put(
      "/f",
      {.bytes = kj::heapArray("x"_kj.asBytes()), .mode = 0666, .modifiedNanos = 1'500'000'000});
  auto mask = umask(077);
  auto code = world.run({"cp", "demo:/f", world.directory});
  umask(mask);
  CHECK(code == SUCCESS);
  struct stat status{};
  KJ_SYSCALL(stat(world.path("f").cStr(), &status));
  CHECK((status.st_mode & 07777) == 0666);
  CHECK(status.st_mtim.tv_sec == 1);
  CHECK(status.st_mtim.tv_nsec == 500'000'000);

  CHECK(world.run({"cp", world.path("f"), "demo:/back"}) == SUCCESS);
  auto& back = KJ_REQUIRE_NONNULL(world.supervisor.files.find("/back"_kj));
  CHECK(back.mode == 0666);
  CHECK(back.modifiedNanos == 1'500'000'000);
}

TEST_CASE("cp copies a symlink as what it is, both ways") {
  CopyWorld world;
  world.supervisor.files.put(
      "/link",
      {.bytes = nullptr, .modifiedNanos = 2'500'000'000, .linkTarget = kj::str("/over/there")});
  CHECK(world.run({"cp", "demo:/link", world.directory}) == SUCCESS);
  CHECK(KJ_REQUIRE_NONNULL(world.local->tryReadlink(kj::Path({"link"}))) == "/over/there");
  CHECK(world.run({"cp", world.path("link"), "demo:/back"}) == SUCCESS);
  auto& back = KJ_REQUIRE_NONNULL(world.supervisor.files.find("/back"_kj));
  CHECK(KJ_REQUIRE_NONNULL(back.linkTarget) == "/over/there");
  CHECK(back.modifiedNanos == 2'500'000'000);
}

TEST_CASE("S06 a symlink that came with one copy is not followed by the next") {
  CopyWorld world;
  world.local->openSubdir(kj::Path({"etc"}), kj::WriteMode::CREATE);
  world.local->openFile(kj::Path({"secret"}), kj::WriteMode::CREATE)->writeAll("secret");
  world.local->openSubdir(kj::Path({"in"}), kj::WriteMode::CREATE);
  auto in = world.path("in"), named = world.path("in/out.txt");
  for (auto planted : {"../secret", "../etc", "../new"}) {
    for (kj::StringPtr target : {in.asPtr(), named.asPtr()}) {
      INFO(planted << " " << target.cStr());
      world.supervisor.files.put("/out.txt", {.bytes = nullptr, .linkTarget = kj::str(planted)});
      CHECK(world.run({"cp", "demo:/out.txt", target}) == SUCCESS);
      world.makeTree("/out.txt", treeOf("f", "hostile"));
      CHECK(world.run({"cp", "demo:/out.txt", target}) == FAILURE);
      world.makeRemote("/out.txt", "hostile");
      world.run({"cp", "demo:/out.txt", target});
      CHECK(world.names() == "etc in secret");
      CHECK(world.local->openFile(kj::Path({"secret"}))->readAllText() == "secret");
      CHECK(world.local->openSubdir(kj::Path({"etc"}))->listNames().size() == 0);
      world.local->openSubdir(kj::Path({"in"}), kj::WriteMode::MODIFY)
          ->remove(kj::Path({"out.txt"}));
    }
  }
}

TEST_CASE("a tree that cannot be read whole is not taken for whole where it goes") {
  CopyWorld world;
  world.local->openSubdir(kj::Path({"d"}), kj::WriteMode::CREATE);
  CHECK(world.run({"cp", world.path("d"), "demo:/d"}) == SUCCESS);
  CHECK(world.supervisor.files.importsEnded == 1);
  CHECK(world.supervisor.files.importsAbandoned == 0);
}

TEST_CASE("cp of a directory to standard output says what writes one there") {
  CopyWorld world;
  world.supervisor.files.put("/home/user/src", {.bytes = nullptr, .directory = true});
  CHECK(world.run({"cp", "demo:src", "-"}) == FAILURE);
  CHECK(contains(
      world.errors(),
      "cannot read demo:src: it is a directory: `bothy exec demo -- tar -c -C /home/user/src .`"));
}

TEST_CASE("cp makes no file in place of a home that is missing") {
  CopyWorld world;
  world.local->openFile(kj::Path({"a"}), kj::WriteMode::CREATE)->writeAll("x");
  for (auto target : {"demo:", "demo:~", "demo:~/"}) {
    CHECK(world.run({"cp", "-u", "root", world.path("a"), target}) == FAILURE);
  }
  CHECK(contains(world.errors(), "there is no home demo:/home/user: name an absolute path"));
  CHECK(world.supervisor.files.find("/home/user") == nullptr);
}

TEST_CASE("P16 cp of a symlink to no file or directory says that it is copied as such") {
  CopyWorld world;
  auto isNoted = [&](kj::StringPtr link, kj::StringPtr target) {
    KJ_SYSCALL(symlink(target.cStr(), world.path(link).cStr()));
    auto before = world.errors().size();
    CHECK(world.run({"cp", world.path(link), "demo:/there"}) == SUCCESS);
    return contains(world.errors().slice(before), kj::str("copied as a symlink to ", target));
  };
  CHECK(isNoted("device", "/dev/null"));
  CHECK_FALSE(isNoted("directory", "/"));
  CHECK_FALSE(isNoted("nothing", "/nothing/there"));
}

TEST_CASE("cp says why a file cannot be copied") {
  CopyWorld world;
  world.local->openFile(kj::Path({"a"}), kj::WriteMode::CREATE)->writeAll("x");
  CHECK(world.run({"cp", "demo:/missing", world.directory}) == FAILURE);
  CHECK(world.run({"cp", world.path("a"), "demo:/locked/a"}) == FAILURE);
  CHECK(world.run({"cp", world.path("a"), "demo:/full/a"}) == FAILURE);
  CHECK(world.run({"cp", world.path("b"), "demo:/a"}) == FAILURE);
  CHECK(world.run({"cp", "-u", "nobody", world.path("a"), "demo:/a"}) == FAILURE);
  CHECK(world.run({"cp", "a", "b"}) == WRONG_USAGE);
  CHECK(world.names() == "a");
  auto errors = world.errors();
  for (auto part : {"cannot read demo:/missing: there is no such file or directory",
                    "permission denied", "cannot write demo:/full/a: the workspace's disk is full",
                    "there is no user nobody in demo"}) {
    INFO(part);
    CHECK(strstr(errors.cStr(), part) != nullptr);
  }
}

}  // namespace
}  // namespace bothy
