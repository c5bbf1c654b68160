#include "files/file-writer.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "files/files-test-world.h"
#include "schema/limits.capnp.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

using Collected = FilesTestWorld::Collected;
using Disposition = rpc::Files::WriteOptions::Disposition;
using Reason = rpc::FileFailure::Reason;

TEST_CASE("P21 a replaced file is the old one until its end, and the new one after it") {
  FilesTestWorld w;
  w.put("f", "old");
  KJ_SYSCALL(chmod(w.world.at("root/f").cStr(), 0751));
  {
    auto response = w.beginWrite("f");
    w.send(response.getSink(), kj::StringPtr("new and longer").asBytes());
    CHECK(w.get("f") == "old");
    CHECK(w.world.count() == 4);  // no temporary name either
    response.getSink().endRequest().send().wait(w.scope);
    CHECK(w.get("f") == "new and longer");
    CHECK((w.statusOf("f").st_mode & 07777) == 0751);
  }
  {
    auto response = w.beginWrite("f");
    w.send(response.getSink(), kj::StringPtr("never ended").asBytes());
  }
  w.stat("f");
  CHECK(w.get("f") == "new and longer");
  CHECK(w.world.count() == 4);
}

TEST_CASE(
    "P41 a file that is written a second time beside a first try is whole, and the try leaves "
    "nothing") {
  FilesTestWorld w;
  {
    auto first = w.beginWrite("f");
    w.send(first.getSink(), kj::StringPtr("the same bytes, but not all").asBytes());
    w.write("f", "the same bytes");
    CHECK(w.get("f") == "the same bytes");
  }
  w.stat("f");
  CHECK(w.get("f") == "the same bytes");
  CHECK(w.world.count() == 4);
}

TEST_CASE("createNew fails where there is a file, also one that came meanwhile") {
  FilesTestWorld w;
  w.put("f", "mine");
  CHECK(w.beginWrite("f", Disposition::CREATE_NEW).getOutcome().getFailed().getReason() ==
        Reason::EXISTS);
  auto response = w.beginWrite("g", Disposition::CREATE_NEW);
  w.send(response.getSink(), kj::StringPtr("late").asBytes());
  w.put("g", "first");
  CHECK_THROWS_AS(response.getSink().endRequest().send().wait(w.scope), kj::Exception);
  CHECK(w.get("g") == "first");
  auto result = response.getWriting().resultRequest().send().wait(w.scope);
  CHECK(result.getOutcome().getFailed().getReason() == Reason::EXISTS);
  CHECK(kj::str(result.getOutcome().getFailed().getPath().asChars()) == "g");
}

TEST_CASE("a writing tells how it went, also that its bytes stopped before the end") {
  FilesTestWorld w;
  auto response = w.beginWrite("f");
  auto written = response.getWriting().resultRequest().send();
  CHECK_FALSE(written.poll(w.scope));
  response.getSink().endRequest().send().wait(w.scope);
  CHECK(written.wait(w.scope).getOutcome().isDone());

  auto writing = [&]() {
    auto opened = w.beginWrite("g");
    w.send(opened.getSink(), kj::StringPtr("half").asBytes());
    return opened.getWriting();
  }();
  auto abandoned = writing.resultRequest().send().wait(w.scope);
  CHECK(abandoned.getOutcome().getFailed().getReason() == Reason::ABANDONED);
}

TEST_CASE("patch writes in place from its offset") {
  FilesTestWorld w;
  w.put("f", "0123456789");
  w.write("f", "ab", Disposition::PATCH, false, 4);
  CHECK(w.get("f") == "0123ab6789");
}

TEST_CASE("a file that is written has the mode and the time that it is given") {
  FilesTestWorld w;
  w.put("f", "old");
  for (auto name : {"f", "new"}) {
    auto request = w.files.writeRequest();
    request.setPath(bytesOf(name));
    auto options = request.initOptions();
    options.setMode(06606);  // set-user-id is nobody's to give
    options.setExactMode(true);
    options.getModified().setNanos(-1);
    auto response = request.send().wait(w.scope);
    w.send(response.getSink(), kj::StringPtr("x").asBytes());
    response.getSink().endRequest().send().wait(w.scope);
    CHECK((w.statusOf(name).st_mode & 07777) == 0606);
    CHECK(w.statusOf(name).st_mtim.tv_sec == -1);
    CHECK(w.statusOf(name).st_mtim.tv_nsec == 999999999);
  }
}

TEST_CASE("what is skipped is a hole, at the end of a file too") {
  FilesTestWorld w;
  constexpr uint64_t HOLE = 10ull << 30;
  auto response = w.beginWrite("sparse");
  auto sink = response.getSink();
  auto skip = [&](uint64_t bytes) {
    auto request = sink.skipRequest();
    request.setBytes(bytes);
    request.send().wait(w.scope);
  };
  w.send(sink, kj::StringPtr("head").asBytes());
  skip(HOLE - 4);
  w.send(sink, kj::StringPtr("tail").asBytes());
  skip(HOLE);
  sink.endRequest().send().wait(w.scope);
  CHECK(w.statusOf("sparse").st_size == static_cast<off_t>(2 * HOLE + 4));
  CHECK(w.statusOf("sparse").st_blocks < 64);

  // And it is skipped when it is read.
  auto request = w.files.readRequest();
  request.setPath(bytesOf("sparse"));
  Collected collected;
  request.setSink(kj::heap<FilesTestWorld::CollectingSink>(collected));
  request.setSparse(true);
  auto read = request.send().wait(w.scope);
  CHECK(read.getOutcome().getDone() == 2 * HOLE + 4);
  CHECK(read.getOutcome().getEntry().getSize() == 2 * HOLE + 4);
  CHECK(collected.skipped > 2 * HOLE - 65536);
  CHECK(collected.ended);
}

TEST_CASE("a write follows a symlink where it is asked to, and only to a file") {
  FilesTestWorld w;
  w.put("f", "old");
  w.makeDirectory("d");
  KJ_SYSCALL(symlink("d/second", w.world.at("root/first").cStr()));
  KJ_SYSCALL(symlink("../f", w.world.at("root/d/second").cStr()));
  KJ_SYSCALL(symlink("nowhere", w.world.at("root/dangling").cStr()));
  KJ_SYSCALL(symlink("nowhere/at/all", w.world.at("root/dangling-deeper").cStr()));
  KJ_SYSCALL(symlink(w.world.at("outside/secret").cStr(), w.world.at("root/out").cStr()));
  auto open = [&](kj::StringPtr path) {
    auto request = w.files.writeRequest();
    request.setPath(bytesOf(path));
    request.initOptions().setFollowLinks(true);
    return request.send().wait(w.scope);
  };
  auto response = open("first");
  w.send(response.getSink(), kj::StringPtr("new").asBytes());
  response.getSink().endRequest().send().wait(w.scope);
  CHECK(w.get("f") == "new");
  CHECK(S_ISLNK(w.statusOf("first").st_mode));
  for (auto name : {"dangling", "dangling-deeper"}) {
    CHECK(open(name).getOutcome().getFailed().getReason() == Reason::NOT_FOUND);
    CHECK(S_ISLNK(w.statusOf(name).st_mode));
  }
  CHECK(open("out").getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
  CHECK(open("fresh").getOutcome().isDone());
  CHECK(open("missing/fresh").getOutcome().getFailed().getReason() == Reason::NOT_FOUND);
}

TEST_CASE("S06 a write follows no symlink that another user put where all may put one") {
  if (geteuid() != 0) SKIP("links of several users are root's to make");
  FilesTestWorld w;
  w.put("f", "old");
  w.makeDirectory("shared");
  {
    ActingRoot root;
    KJ_SYSCALL(chown(w.world.at("root/shared").cStr(), 0, 0));
    KJ_SYSCALL(chmod(w.world.at("root/shared").cStr(), 01777));
  }
  w.makeDirectory("own");
  constexpr uid_t STRANGER = 54322;
  auto follow = [&](kj::StringPtr path, uid_t owner) {
    {
      ActingRoot root;
      KJ_SYSCALL(symlink("../f", w.world.at(kj::str("root/", path)).cStr()));
      KJ_SYSCALL(lchown(w.world.at(kj::str("root/", path)).cStr(), owner, owner));
    }
    auto request = w.files.writeRequest();
    request.setPath(bytesOf(path));
    request.initOptions().setFollowLinks(true);
    return request.send().wait(w.scope);
  };
  CHECK(follow("shared/own", w.user.uid).getOutcome().isDone());
  CHECK(follow("shared/holder", 0).getOutcome().isDone());
  CHECK(follow("own/stranger", STRANGER).getOutcome().isDone());
  auto refused = follow("shared/stranger", STRANGER);
  REQUIRE(refused.getOutcome().isFailed());
  CHECK(refused.getOutcome().getFailed().getReason() == Reason::PERMISSION_DENIED);
  CHECK(refused.getOutcome().getFailed().getErrorNumber() == EACCES);
}

TEST_CASE("what a crash left under the name of a write goes with the next one") {
  FilesTestWorld w;
  w.put("f", "old");
  w.put(".f.bothy-0.part", "left over");
  w.write("f", "new");
  CHECK(w.get("f") == "new");
  CHECK_FALSE(w.world.has("root/.f.bothy-0.part"));
  CHECK(w.world.count() == 4);
}

TEST_CASE("a symlink takes the place of a file in one step, with its time") {
  FilesTestWorld w;
  w.put("f", "old");
  w.makeDirectory("d");
  auto make = [&](kj::StringPtr path) {
    auto request = w.files.makeSymlinkRequest();
    request.setPath(bytesOf(path));
    request.setTarget(bytesOf("/over/there"));
    request.setModifiedNanos(1500000000);
    return request.send().wait(w.scope);
  };
  CHECK(make("f").getOutcome().isDone());
  CHECK(w.statusOf("f").st_mtim.tv_nsec == 500000000);
  CHECK(w.stat("f", false).getOutcome().getEntry().getLinkTarget() == bytesOf("/over/there"));
  CHECK(make("d").getOutcome().getFailed().getReason() == Reason::IS_DIRECTORY);
  CHECK(make("../x").getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
  CHECK(w.world.count() == 5);
}

long peakKilobytes() {
  rusage usage;
  KJ_SYSCALL(getrusage(RUSAGE_SELF, &usage));
  return usage.ru_maxrss;
}

TEST_CASE("P18 a file of 64 MiB goes through without being held in memory") {
  FilesTestWorld w;
  constexpr uint64_t SIZE = 64 << 20;
  auto chunk = kj::heapArray<kj::byte>(rpc::PREFERRED_CHUNK_BYTES);
  memset(chunk.begin(), 'x', chunk.size());
  auto before = peakKilobytes();
  auto response = w.beginWrite("large");
  {
    SinkWriter writer(response.getSink());
    for (uint64_t sent = 0; sent < SIZE; sent += chunk.size()) {
      writer.send(chunk.asPtr().asConst()).wait(w.scope);
    }
    writer.end().wait(w.scope);
  }
  Collected collected;
  collected.keep = false;
  CHECK(w.read("large", collected).getOutcome().getDone() == SIZE);
  CHECK(collected.count == SIZE);
  // Client and agent of this test are one process: chunks under way are counted at both ends.
  constexpr long LIMIT_KILOBYTES = 8 * 1024;
  // AddressSanitizer keeps freed memory for a while on purpose.
  constexpr bool KEEPS_FREED_MEMORY = __has_feature(address_sanitizer);
  if (!KEEPS_FREED_MEMORY) {
    CHECK(peakKilobytes() - before < LIMIT_KILOBYTES);
  }
}

}  // namespace
}  // namespace bothy
