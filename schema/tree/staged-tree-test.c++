#include "tree/staged-tree.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "tree/test-directory.h"

namespace bothy {
namespace {

using Duplicates = TreeWriter::Duplicates;

struct Staged {
  TestDirectory world;
  kj::AutoCloseFd parent = world.open();

  kj::Own<StagedTree> begin(kj::StringPtr name) {
    auto made = StagedTree::make(parent, name);
    if (made.is<FileProblem>()) FAIL(made.get<FileProblem>().message.cStr());
    return kj::mv(made.get<kj::Own<StagedTree>>());
  }
  static void fill(StagedTree& tree, kj::StringPtr name, kj::StringPtr text) {
    int fd;
    KJ_SYSCALL(fd = openat(tree.fd(), name.cStr(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    kj::FdOutputStream(kj::AutoCloseFd(fd)).write(text.begin(), text.size());
  }
  static kj::Maybe<FileProblem> commit(StagedTree& tree) {
    TreeWriter writer(tree.fd(), Duplicates::REFUSE);
    return tree.commit(writer);
  }
};

TEST_CASE("a staged tree has its name when it is whole, and leaves nothing when it is given up") {
  Staged w;
  {
    auto tree = w.begin("t");
    Staged::fill(*tree, "f", "new");
    CHECK_FALSE(w.world.has("t"));
    CHECK(Staged::commit(*tree) == nullptr);
    CHECK(w.world.read("t/f") == "new");
  }
  CHECK(w.world.count() == 2);
  {
    auto tree = w.begin("u");
    Staged::fill(*tree, "f", "half");
    KJ_SYSCALL(mkdirat(tree->fd(), "locked", 0755));
    KJ_SYSCALL(mkdirat(tree->fd(), "locked/in", 0755));
    KJ_SYSCALL(symlinkat("../../t", tree->fd(), "link"));
    KJ_SYSCALL(fchmodat(tree->fd(), "locked", 0, 0));
  }
  CHECK(w.world.count() == 2);
  CHECK(w.world.read("t/f") == "new");
}

TEST_CASE("a staged tree goes into a directory that is there, entry by entry") {
  Staged w;
  w.world.makeDirectory("t");
  w.world.makeDirectory("t/both");
  w.world.write("t/kept", "old");
  w.world.write("t/replaced", "old");
  w.world.write("t/both/old", "old");
  {
    auto tree = w.begin("t");
    Staged::fill(*tree, "replaced", "new");
    KJ_SYSCALL(mkdirat(tree->fd(), "both", 0755));
    Staged::fill(*tree, "both/new", "new");
    KJ_SYSCALL(mkdirat(tree->fd(), "fresh", 0755));
    CHECK(w.world.read("t/replaced") == "old");
    CHECK(Staged::commit(*tree) == nullptr);
  }
  CHECK(w.world.read("t/kept") == "old");
  CHECK(w.world.read("t/replaced") == "new");
  CHECK(w.world.read("t/both/old") == "old");
  CHECK(w.world.read("t/both/new") == "new");
  CHECK(w.world.has("t/fresh"));
  CHECK(w.world.count() == 7);  // no name of the staging is left
}

TEST_CASE("P41 a staged tree whose place another has taken meanwhile goes into that") {
  Staged w;
  auto first = w.begin("t"), second = w.begin("t");
  Staged::fill(*first, "f", "first");
  Staged::fill(*first, "g", "first");
  Staged::fill(*second, "f", "second");
  CHECK(Staged::commit(*first) == nullptr);
  CHECK(Staged::commit(*second) == nullptr);
  first = nullptr;
  second = nullptr;
  CHECK(w.world.read("t/f") == "second");
  CHECK(w.world.read("t/g") == "first");
  CHECK(w.world.count() == 3);

  auto late = w.begin("u");
  w.world.write("u", "a file");
  CHECK(Staged::commit(*late) != nullptr);
  CHECK(w.world.read("u") == "a file");
}

TEST_CASE("S06 a merge follows no symlink, and a directory takes no file's place") {
  Staged w;
  w.world.makeDirectory("t");
  w.world.makeDirectory("outside");
  KJ_SYSCALL(symlink("../outside", w.world.at("t/d").cStr()));
  auto tree = w.begin("t");
  KJ_SYSCALL(mkdirat(tree->fd(), "d", 0755));
  Staged::fill(*tree, "d/f", "x");
  CHECK(Staged::commit(*tree) != nullptr);
  CHECK_FALSE(w.world.has("outside/f"));

  w.world.write("file", "x");
  CHECK(StagedTree::make(w.parent, "file").is<FileProblem>());
}

TEST_CASE("S06 a tree deeper than there are descriptors is merged and removed") {
  Staged w;
  constexpr int DEPTH = 400;
  auto fillDeep = [](StagedTree& tree, kj::StringPtr file) {
    kj::AutoCloseFd at(dup(tree.fd()));
    for (int i = 0; i < DEPTH; ++i) {
      KJ_SYSCALL(mkdirat(at, "d", 0700));
      int below;
      KJ_SYSCALL(below = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      at = kj::AutoCloseFd(below);
    }
    int made;
    KJ_SYSCALL(made = openat(at, file.cStr(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    close(made);
  };
  rlimit before;
  KJ_SYSCALL(getrlimit(RLIMIT_NOFILE, &before));
  const rlimit few = {64, before.rlim_max};
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &few));
  KJ_DEFER(KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &before)));
  for (auto file : {"first", "second"}) {
    auto tree = w.begin("t");
    fillDeep(*tree, file);
    CHECK(Staged::commit(*tree) == nullptr);
  }
  fillDeep(*w.begin("given-up"), "f");
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &before));
  CHECK(w.world.count() == 1 + DEPTH + 2);
}

TEST_CASE("what a crash left of a staged tree goes with the next one, and one under way stays") {
  Staged w;
  auto name = stagingName("t", 0);
  w.world.makeDirectory(name);
  w.world.write(kj::str(name, "/f"), "left over");
  auto tree = w.begin("t");
  CHECK_FALSE(w.world.has(kj::str(name, "/f")));
  {
    auto other = w.begin("t");
    CHECK(w.world.count() == 2);
  }
  CHECK(w.world.count() == 1);
  CHECK(Staged::commit(*tree) == nullptr);
  CHECK(w.world.count() == 1);
}

}  // namespace
}  // namespace bothy
