#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

// A world with a directory that is gone afterwards.
struct CopyWorld: public CommandTestWorld {
  CopyWorld() {
    char path[] = "/tmp/bothy-copy-XXXXXX";
    KJ_REQUIRE(mkdtemp(path) != nullptr);
    directory = kj::str(path);
    auto disk = kj::newDiskFilesystem();
    local = disk->getRoot().openSubdir(kj::Path::parse(directory.slice(1)), kj::WriteMode::MODIFY);
  }
  ~CopyWorld() noexcept(false) {
    for (auto& name : local->listNames()) local->remove(kj::Path({name}));
    rmdir(directory.cStr());
  }

  kj::String path(kj::StringPtr name) { return kj::str(directory, "/", name); }
  kj::String names() { return kj::strArray(local->listNames(), " "); }
  void makeRemote(kj::StringPtr name, kj::StringPtr content, uint16_t mode = 0644) {
    supervisor.files.put(name, {.bytes = kj::heapArray(content.asBytes()), .mode = mode});
  }
  kj::Maybe<kj::String> remote(kj::StringPtr name) {
    KJ_IF_MAYBE (file, supervisor.files.find(name)) return kj::str(file->bytes.asChars());
    return nullptr;
  }

  kj::String directory;
  kj::Own<const kj::Directory> local;
};

kj::String longText() {
  return kj::strArray(kj::repeat("0123456789"_kj, 1000), "");
}

TEST_CASE("cp takes a file out of a workspace, whole and with its mode") {
  CopyWorld world;
  auto text = longText();
  world.makeRemote("/etc/script", text, 0755);
  CHECK(world.run({"cp", "demo:/etc/script", world.directory}) == SUCCESS);
  CHECK(world.names() == "script");
  CHECK(world.local->openFile(kj::Path({"script"}))->readAllText() == text);
  CHECK(access(world.path("script").cStr(), X_OK) == 0);
}

TEST_CASE("cp leaves no half file when the connection breaks") {
  CopyWorld world;
  world.makeRemote("/big", longText());
  KJ_REQUIRE_NONNULL(world.supervisor.files.find("/big"_kj)).stopsInTheMiddle = true;
  world.local->openFile(kj::Path({"big"}), kj::WriteMode::CREATE)->writeAll("old");
  world.start({"cp", "demo:/big", world.directory});
  CHECK(world.local->listNames().size() == 2);  // the old one and what is coming
  world.supervisor.breakConnections();
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
  for (auto part : {"cannot read demo:/missing: there is no such file", "permission denied",
                    "cannot write demo:/full/a: the workspace's disk is full",
                    "there is no user nobody in demo"}) {
    INFO(part);
    CHECK(strstr(errors.cStr(), part) != nullptr);
  }
}

}  // namespace
}  // namespace bothy
