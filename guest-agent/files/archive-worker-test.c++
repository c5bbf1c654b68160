#include "files/archive-worker.h"

#include <ctype.h>
#include <dirent.h>
#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "files/files-facet.h"
#include "files/files-test-world.h"
#include "files/tree-turns.h"
#include "support/few-files.h"
#include "tree/test-tar.h"

namespace bothy {
namespace {

using Collected = FilesTestWorld::Collected;
using Reason = rpc::FileFailure::Reason;

TEST_CASE("a tree goes out as a tar and comes in again, as the user's") {
  FilesTestWorld w;
  w.makeDirectory("tree/sub", true);
  w.write("tree/sub/f", "text");
  KJ_SYSCALL(symlink("sub/f", w.world.at("root/tree/link").cStr()));
  auto request = w.files.exportTreeRequest();
  request.setPath(bytesOf("tree"));
  Collected archive;
  request.setSink(kj::heap<FilesTestWorld::CollectingSink>(archive));
  auto exported = request.send().wait(w.scope);
  REQUIRE(exported.getOutcome().isDone());
  CHECK(exported.getOutcome().getDone().getEntries() == 4);
  CHECK(archive.ended);

  w.makeDirectory("copy");
  auto imported = w.import("copy", archive.bytes.asPtr());
  REQUIRE(imported.getOutcome().isDone());
  CHECK(imported.getOutcome().getDone().getEntries() == 4);
  CHECK(w.get("copy/sub/f") == "text");
  CHECK(w.statusOf("copy/sub/f").st_uid == w.user.uid);
  CHECK(S_ISLNK(w.statusOf("copy/link").st_mode));
}

TEST_CASE("what is done is counted: files with entries of trees, their bytes, and changes") {
  FilesTestWorld w;
  auto counters = kj::refcounted<FileCounters>();
  rpc::Files::Client inner = newFilesFacet(w.programs, KJ_ASSERT_NONNULL(w.root), w.user.home,
                                           w.limits, counters->addRef());
  w.files = inner;
  w.write("f", "text");
  CHECK(counters->filesWritten == 1);
  CHECK(counters->bytesWritten == 4);
  Collected read;
  w.read("f", read, 1);
  CHECK(counters->filesRead == 1);
  CHECK(counters->bytesRead == 3);
  w.makeDirectory("d");
  w.move("f", "d/f", false);
  w.remove("nobody", false);
  CHECK(counters->changes == 2);

  auto request = w.files.exportTreeRequest();
  request.setPath(bytesOf("d"));
  Collected archive;
  request.setSink(kj::heap<FilesTestWorld::CollectingSink>(archive));
  request.send().wait(w.scope);
  CHECK(counters->filesRead == 1 + 2);
  CHECK(counters->bytesRead == 3 + archive.bytes.size());
  w.makeDirectory("copy");
  w.import("copy", archive.bytes.asPtr());
  CHECK(counters->filesWritten == 1 + 2);
  CHECK(counters->bytesWritten == 4 + archive.bytes.size());

  // What is not done to its end: the bytes alone.
  {
    auto response = w.beginWrite("g");
    w.send(response.getSink(), "text"_kj.asBytes());
  }
  CHECK(counters->filesWritten == 1 + 2);
  CHECK(counters->bytesWritten == 8 + archive.bytes.size());
}

TEST_CASE("a single file is exported under its name") {
  FilesTestWorld w;
  w.put("f", "text");
  auto request = w.files.exportTreeRequest();
  request.setPath(bytesOf("f"));
  Collected archive;
  request.setSink(kj::heap<FilesTestWorld::CollectingSink>(archive));
  CHECK(request.send().wait(w.scope).getOutcome().getDone().getEntries() == 1);
  w.makeDirectory("d");
  CHECK(w.import("d", archive.bytes.asPtr()).getOutcome().isDone());
  CHECK(w.get("d/f") == "text");
}

TEST_CASE("S06 a hostile tar that is sent into the guest stays below its directory") {
  FilesTestWorld w;
  auto secret = w.world.at("outside/secret");
  kj::Vector<kj::Array<kj::byte>> hostile;
  hostile.add(TestTar().file("../../outside/secret", "x").finish());
  hostile.add(TestTar().file(secret, "x").finish());
  hostile.add(TestTar().symlink("d", "../../outside").file("d/secret", "x").finish());
  hostile.add(TestTar().hardLink("h", "../../outside/secret").finish());
  hostile.add(TestTar().special("null", '3').finish());
  for (auto i : kj::indices(hostile)) {
    auto directory = kj::str("in", i);
    w.makeDirectory(directory);
    auto response = w.import(directory, hostile[i]);
    REQUIRE(response.getOutcome().isFailed());
    CHECK(response.getOutcome().getFailed().getReason() == Reason::INVALID_ARCHIVE);
    CHECK(response.getOutcome().getFailed().getPath().size() > 0);
  }
  CHECK(w.world.read("outside/secret") == "secret");
  CHECK(w.world.status("outside/secret").st_nlink == 1);
}

TEST_CASE("S11 what is not a tar is refused") {
  FilesTestWorld w;
  w.makeDirectory("d");
  constexpr kj::byte RAR[] = {'R', 'a', 'r', '!', 0x1a, 0x07, 0x00, 0xcf, 0x90, 0x73, 0x00, 0x00};
  auto response = w.import("d", kj::arrayPtr(RAR, sizeof(RAR)));
  CHECK(response.getOutcome().getFailed().getReason() == Reason::INVALID_ARCHIVE);
}

TEST_CASE("an import whose sink is dropped before its end is not taken for whole") {
  FilesTestWorld w;
  w.makeDirectory("d");
  auto import = [&] {
    auto request = w.files.importTreeRequest();
    request.setPath(bytesOf("d"));
    auto response = request.send().wait(w.scope);
    w.send(response.getSink(), TestTar().file("f", "x").take());
    return response.getImport();
  }();
  CHECK(import.resultRequest().send().wait(w.scope).getOutcome().isFailed());
}

using Import = FilesTestWorld::Import;

TEST_CASE("S01 an import that is held has its turn until its worker has ended") {
  FilesTestWorld w;
  rpc::Files::Client other = newFilesFacet(w.programs, KJ_ASSERT_NONNULL(w.root), w.user.home,
                                           w.limits, w.counters->addRef());
  // Those of another lane that come later are begun meanwhile.
  auto isWaiting = [&](kj::Promise<Import>& import) {
    if (import.poll(w.scope)) return false;
    for (uint i = 0; i < 3; i++) w.beginImport(other).wait(w.scope);
    return !import.poll(w.scope);
  };
  kj::Vector<Import> held;
  for (uint i = 0; i < rpc::MAX_LANE_TRANSFERS; i++) {
    held.add(w.beginImport(w.files).wait(w.scope));
  }
  auto next = w.beginImport(w.files);
  CHECK(isWaiting(next));
  held.removeLast();
  held.add(next.wait(w.scope));

  // One that is over is none any more, though its capabilities are held.
  auto another = w.beginImport(w.files);
  CHECK(isWaiting(another));
  held.front().getSink().endRequest().send().wait(w.scope);
  held.add(another.wait(w.scope));
}

// All places that lanes share.
kj::Vector<kj::Own<Places::Place>> takeSharedPlaces(FilesTestWorld& w) {
  kj::Vector<kj::Own<Places::Place>> taken;
  while (taken.size() < rpc::MAX_TREE_TRANSFERS) {
    taken.add(KJ_REQUIRE_NONNULL(w.limits.treeTransfers->tryTake()));
  }
  return taken;
}

TEST_CASE("S01 trees of other lanes, though nobody takes them, leave each lane one of its own") {
  FilesTestWorld w;
  auto newLane = [&]() -> rpc::Files::Client {
    return newFilesFacet(w.programs, KJ_ASSERT_NONNULL(w.root), w.user.home, w.limits,
                         w.counters->addRef());
  };
  kj::Vector<Import> held;
  auto hold = [&](rpc::Files::Client lane, kj::uint count) {
    for (kj::uint i = 0; i < count; i++) held.add(w.beginImport(lane).wait(w.scope));
  };
  hold(w.files, rpc::MAX_LANE_TRANSFERS);
  hold(newLane(), rpc::MAX_LANE_TRANSFERS);
  // One of each lane and those that are shared, and no more.
  auto third = newLane();
  hold(third, 1 + rpc::MAX_TREE_TRANSFERS - 2 * (rpc::MAX_LANE_TRANSFERS - 1));
  auto waiting = w.beginImport(third);
  CHECK_FALSE(waiting.poll(w.scope));
  for (kj::uint i = 0; i < 3; i++) hold(newLane(), 1);
  CHECK_FALSE(waiting.poll(w.scope));
  // Whatever place becomes free is for who waits.
  held[0] = kj::mv(held.back());
  held.removeLast();
  held.add(waiting.wait(w.scope));
}

TEST_CASE("S01 a lane's second tree has the place of its first when that is over") {
  FilesTestWorld w;
  auto others = takeSharedPlaces(w);
  auto first = kj::heap(w.beginImport(w.files).wait(w.scope));
  auto second = w.beginImport(w.files);
  CHECK_FALSE(second.poll(w.scope));
  first = nullptr;
  second.wait(w.scope);
}

TEST_CASE("S01 a lane's second tree waits for a place for a minute, and the limit is named then") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  FilesTestWorld w(timer);
  auto others = takeSharedPlaces(w);
  auto first = w.beginImport(w.files).wait(w.scope);
  auto tooMany = w.beginImport(w.files);
  CHECK_FALSE(tooMany.poll(w.scope));
  timer.advanceTo(timer.now() + TREE_TRANSFER_WAIT - 1 * kj::NANOSECONDS);
  CHECK_FALSE(tooMany.poll(w.scope));
  timer.advanceTo(timer.now() + 1 * kj::NANOSECONDS);
  auto failure = kj::runCatchingExceptions([&]() { tooMany.wait(w.scope); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::OVERLOADED);
  auto why = KJ_REQUIRE_NONNULL(failure).getDescription();
  CHECK(strstr(why.cStr(), "maxTreeTransfers") != nullptr);
  CHECK(strstr(why.cStr(), kj::str(rpc::MAX_TREE_TRANSFERS).cStr()) != nullptr);
}

TEST_CASE("S01 an import that was refused keeps no descriptor, though its capabilities are held") {
  FilesTestWorld w;
  auto refused = [&]() {
    auto import = w.beginImport(w.files).wait(w.scope);
    auto write = import.getSink().writeRequest();
    write.setData("this is no archive of any kind that is known"_kj.asBytes());
    write.send().catch_([](kj::Exception&&) {}).wait(w.scope);
    auto end = TestTar().special("null", '3').finish();
    w.send(import.getSink(), end);
    auto result = import.getImport().resultRequest().send().wait(w.scope);
    CHECK(result.getOutcome().isFailed());
    return import;
  };
  kj::Vector<Import> held;
  held.add(refused());
  const auto before = countDescriptors();
  for (uint i = 0; i < 4; i++) held.add(refused());
  CHECK(countDescriptors() == before);
}

// The one child of this process that has not ended.
pid_t findWorker() {
  auto proc = opendir("/proc");
  KJ_REQUIRE(proc != nullptr);
  KJ_DEFER(closedir(proc));
  while (auto entry = readdir(proc)) {
    if (isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
    auto file = fopen(kj::str("/proc/", entry->d_name, "/stat").cStr(), "re");
    if (file == nullptr) continue;
    KJ_DEFER(fclose(file));
    int pid = 0, parent = 0;
    char state = 0;
    bool isKnown = fscanf(file, "%d (%*[^)]) %c %d", &pid, &state, &parent) == 3;
    if (isKnown && parent == getpid() && state != 'Z') return pid;
  }
  KJ_FAIL_REQUIRE("there is no worker");
}

TEST_CASE("a copy whose worker was ended by a signal says by which, and what to do") {
  FilesTestWorld w;
  w.makeDirectory("d");
  auto import = w.beginImport(w.files).wait(w.scope);
  KJ_SYSCALL(kill(findWorker(), SIGKILL));
  auto outcome = import.getImport().resultRequest().send().wait(w.scope);
  REQUIRE(outcome.getOutcome().isFailed());
  CHECK(outcome.getOutcome().getFailed().getMessage() ==
        "what copies trees in the workspace was ended by signal 9 (Killed): try again");
}

constexpr size_t MEBIBYTE = 1024 * 1024;

TEST_CASE("a copy that the end of the machine ends says so, and none is begun any more") {
  for (bool whole : {false, true}) {
    INFO("whole " << whole);
    FilesTestWorld w;
    w.makeDirectory("d");
    auto request = w.files.importTreeRequest();
    request.setPath(bytesOf("d"));
    request.setWhole(whole);
    auto import = request.send().wait(w.scope);
    // More than what may be on its way: the worker reads.
    auto archive = TestTar().file("f", kj::str(kj::repeat('x', 3 * MEBIBYTE))).finish();
    w.send(import.getSink(), archive.slice(0, 2 * MEBIBYTE));
    w.programs.endStarts();
    KJ_SYSCALL(kill(findWorker(), SIGTERM));
    auto outcome = import.getImport().resultRequest().send().wait(w.scope);
    constexpr kj::StringPtr EXPECTED =
        "the workspace's machine is ending: try again when it runs"_kj;
    REQUIRE(outcome.getOutcome().isFailed());
    CHECK(outcome.getOutcome().getFailed().getMessage() == EXPECTED);
    auto next = w.files.importTreeRequest();
    next.setPath(bytesOf("d"));
    auto refused = next.send().wait(w.scope);
    REQUIRE(refused.getOutcome().isFailed());
    CHECK(refused.getOutcome().getFailed().getMessage() == EXPECTED);
  }
}

TEST_CASE("a tree that is imported as a whole has its place when all of it is there") {
  FilesTestWorld w;
  auto archive = TestTar().directory(".", 0711).file("f", "new", 0666).finish();
  CHECK(w.import("d", archive, true).getOutcome().isDone());
  CHECK(w.get("d/f") == "new");
  CHECK((w.statusOf("d").st_mode & 07777) == 0711);
  CHECK((w.statusOf("d/f").st_mode & 07777) == 0666);
  CHECK(w.statusOf("d").st_uid == w.user.uid);
  CHECK(w.statusOf("d").st_mtim.tv_sec == 1000000000);

  // Into one that is there, and into one that is named by a path without a name.
  w.put("d/kept", "kept");
  CHECK(w.import("d", TestTar().file("f", "newer").finish(), true).getOutcome().isDone());
  CHECK(w.import("d/.", TestTar().file("g", "g").finish(), true).getOutcome().isDone());
  CHECK(w.get("d/f") == "newer");
  CHECK(w.get("d/g") == "g");
  CHECK(w.get("d/kept") == "kept");
  CHECK(w.world.count() == 7);
}

TEST_CASE("P41 an import of a whole tree that breaks off leaves nothing, wherever it breaks") {
  FilesTestWorld w;
  w.makeDirectory("present");
  auto whole = TestTar().directory("sub", 0500).file("sub/f", "x").finish();
  for (auto path : {"d", "present"}) {
    for (size_t length : {size_t(700), size_t(1536), whole.size()}) {
      INFO(path << " " << length);
      auto import = [&] {
        auto request = w.files.importTreeRequest();
        request.setPath(bytesOf(path));
        request.setWhole(true);
        auto response = request.send().wait(w.scope);
        w.send(response.getSink(), whole.slice(0, length));
        return response.getImport();
      }();
      CHECK(import.resultRequest().send().wait(w.scope).getOutcome().isFailed());
      CHECK(w.world.count() == 4);  // root, outside, outside/secret, root/present
    }
  }
}

TEST_CASE("an import of a whole tree that nobody wants any more removes what it made") {
  FilesTestWorld w;
  auto request = w.files.importTreeRequest();
  request.setPath(bytesOf("d"));
  request.setWhole(true);
  auto response = kj::heap(request.send().wait(w.scope));
  auto sink = response->getSink();
  w.send(sink, TestTar().file("f", "x").take());
  // The sink stays: it is not the end of the bytes that ends the worker.
  response = nullptr;
  w.programs.reaper.onChildless().wait(w.scope);
  CHECK(w.world.count() == 3);
}

}  // namespace
}  // namespace bothy
