#include "files/files-facet.h"

#include <kj/debug.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <set>
#include <string>

#include "files/files-test-world.h"
#include "schema/limits.capnp.h"
#include "support/few-files.h"

namespace bothy {
namespace {

using Collected = FilesTestWorld::Collected;
using Disposition = rpc::Files::WriteOptions::Disposition;
using Reason = rpc::FileFailure::Reason;

TEST_CASE("a file is written, read back in ranges, looked at, moved and removed") {
  FilesTestWorld w;
  w.write("/a", "0123456789");
  CHECK(w.get("a") == "0123456789");
  CHECK((w.statusOf("a").st_mode & 07777) == 0644);
  Collected middle;
  CHECK(w.read("a", middle, 2, 3).getOutcome().getDone() == 3);
  CHECK(kj::StringPtr("234").asBytes() == middle.bytes.asPtr());
  CHECK(middle.ended);
  Collected tail;
  CHECK(w.read("a", tail, 8).getOutcome().getDone() == 2);
  Collected beyond;
  CHECK(w.read("a", beyond, 100).getOutcome().getDone() == 0);

  auto response = w.stat("a");
  auto entry = response.getOutcome().getEntry();
  CHECK(entry.getSize() == 10);
  CHECK(entry.getKind() == rpc::FileKind::FILE);
  CHECK(entry.getUid() == w.user.uid);

  w.put("b", "b");
  CHECK(w.move("a", "b", false).getOutcome().getFailed().getReason() == Reason::EXISTS);
  CHECK(w.move("a", "b", true).getOutcome().isDone());
  CHECK(w.get("b") == "0123456789");
  CHECK(w.remove("b", false).getOutcome().isDone());
  CHECK(w.statFailure("b") == Reason::NOT_FOUND);
}

TEST_CASE("the home of the user is told as passwd has it") {
  FilesTestWorld w;
  auto response = w.files.homeRequest().send().wait(w.scope);
  CHECK(response.getPath() == bytesOf(w.user.home));
}

TEST_CASE("P16 a file whose size says nothing, or too much, gives its bytes") {
  FilesTestWorld w;
  WorkspaceRoot root(openRoot("/"));
  rpc::Files::Client machine =
      newFilesFacet(w.programs, root, w.user.home, w.limits, w.counters->addRef());
  for (auto path : {"/proc/self/status", "/sys/kernel/mm/transparent_hugepage/enabled"}) {
    if (access(path, R_OK) != 0) continue;
    for (bool sparse : {false, true}) {
      INFO(path);
      auto request = machine.readRequest();
      request.setPath(bytesOf(path));
      request.setSparse(sparse);
      Collected collected;
      request.setSink(kj::heap<FilesTestWorld::CollectingSink>(collected));
      auto response = request.send().wait(w.scope);
      REQUIRE(response.getOutcome().isDone());
      CHECK(response.getOutcome().getDone() == collected.count);
      CHECK(collected.count > 0);
      CHECK(collected.skipped == 0);
      CHECK(collected.bytes.back() == '\n');
    }
  }
}

TEST_CASE("S07 a path that leads out of the root is refused by every operation") {
  FilesTestWorld w;
  KJ_SYSCALL(symlink("../outside", w.world.at("root/out").cStr()));
  KJ_SYSCALL(symlink(w.world.at("outside/secret").cStr(), w.world.at("root/absolute").cStr()));
  for (auto path : {"../outside/secret", "out/secret", "absolute", "a/../../outside/secret"}) {
    INFO(path);
    if (kj::StringPtr(path).startsWith("a/")) w.makeDirectory("a");
    CHECK(w.statFailure(path) == Reason::OUTSIDE_ROOT);
    Collected collected;
    CHECK(w.read(path, collected).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
    CHECK(w.beginWrite(path, Disposition::PATCH).getOutcome().getFailed().getReason() ==
          Reason::OUTSIDE_ROOT);
  }
  for (auto path : {"out/new", "../outside/new"}) {
    INFO(path);
    CHECK(w.beginWrite(path).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
    CHECK(w.makeDirectory(path, true).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
    CHECK(w.remove(path, true).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
    CHECK(w.list("out", 0, 0).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
  }
  // The link itself goes, and what it names stays.
  CHECK(w.remove("out", true).getOutcome().isDone());
  CHECK(w.world.read("outside/secret") == "secret");
  CHECK_FALSE(w.world.has("outside/new"));
}

TEST_CASE("a path with a NUL, an empty one and one over the limit are invalid") {
  FilesTestWorld w;
  CHECK(w.statFailure("") == Reason::INVALID_PATH);
  CHECK(w.statFailure(kj::StringPtr("a\0b", 3)) == Reason::INVALID_PATH);
  CHECK(w.statFailure(kj::str(kj::repeat('x', 5000))) == Reason::INVALID_PATH);
  CHECK(w.statFailure(kj::str(kj::repeat('x', 256))) == Reason::INVALID_PATH);
}

TEST_CASE("a FIFO is not waited for") {
  FilesTestWorld w;
  KJ_SYSCALL(mkfifo(w.world.at("root/fifo").cStr(), 0666));
  Collected collected;
  CHECK(w.read("fifo", collected).getOutcome().getFailed().getReason() == Reason::NOT_REGULAR);
  CHECK(w.beginWrite("fifo", Disposition::PATCH).getOutcome().getFailed().getReason() ==
        Reason::NOT_REGULAR);
  CHECK(w.beginWrite("fifo").getOutcome().getFailed().getReason() == Reason::NOT_REGULAR);
}

TEST_CASE("P19 a file and the parents made for it belong to the user") {
  FilesTestWorld w;
  w.write("a/b/c/f", "text", Disposition::REPLACE, true);
  // A way back is looked up from the root, and what a symlink leads to is not made.
  CHECK(w.makeDirectory("new/../other/./deep/place", true).getOutcome().isDone());
  CHECK(S_ISDIR(w.statusOf("new").st_mode));
  CHECK(S_ISDIR(w.statusOf("other/deep/place").st_mode));
  REQUIRE(symlink("nowhere", w.world.at("root/dangling").cStr()) == 0);
  CHECK(w.makeDirectory("dangling/x/y", true).getOutcome().isFailed());
  CHECK(w.statFailure("nowhere") == Reason::NOT_FOUND);
  for (auto path : {"a", "a/b", "a/b/c", "a/b/c/f"}) {
    CHECK(w.statusOf(path).st_uid == w.user.uid);
    CHECK(w.statusOf(path).st_gid == w.user.gid);
  }
  CHECK((w.statusOf("a").st_mode & 07777) == 0755);
  CHECK((w.statusOf("a/b/c/f").st_mode & 07777) == 0644);
  CHECK(w.remove("a", true).getOutcome().isDone());
  CHECK_FALSE(w.world.has("root/a"));
}

// Of this thread.
uint64_t cpuNanos() {
  timespec now;
  KJ_SYSCALL(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
  return now.tv_sec * 1'000'000'000ull + now.tv_nsec;
}

TEST_CASE("S01 what is missing of a path is found by few looks, however much it is") {
  FilesTestWorld w;
  auto path = [](kj::StringPtr name) {
    return kj::strArray(kj::repeat(name, rpc::MAX_PATH_BYTES / 2 / 2), "/");
  };
  const auto there = path("a"), missing = path("b");
  CHECK(w.makeDirectory(there, true).getOutcome().isDone());
  // Nothing is made, so that looking is all that costs.
  const auto deepest = w.world.at(kj::str("root/", there));
  KJ_SYSCALL(chmod(deepest.cStr(), 0555));
  constexpr int LOOKS = 200;
  auto begin = cpuNanos();
  for (int i = 0; i < LOOKS; ++i) CHECK(access(deepest.cStr(), F_OK) == 0);
  const auto ofLooks = cpuNanos() - begin;
  begin = cpuNanos();
  auto answer = w.makeDirectory(kj::str(there, "/", missing), true);
  CHECK(cpuNanos() - begin < ofLooks);
  CHECK(answer.getOutcome().getFailed().getReason() == Reason::PERMISSION_DENIED);
}

TEST_CASE("S01 a path goes back out of so many missing directories, and others in any way") {
  FilesTestWorld w;
  auto path = [](kj::StringPtr name, size_t count) {
    const auto back = kj::str(name, "/..");
    return kj::str(kj::strArray(kj::repeat(back.asPtr(), count), "/"), "/last");
  };
  CHECK(w.makeDirectory(path("new", MAX_NEW_WAYS_BACK), true).getOutcome().isDone());
  CHECK(S_ISDIR(w.statusOf("last").st_mode));
  // This one is there now.
  CHECK(w.makeDirectory(path("new", 500), true).getOutcome().isDone());
  auto answer = w.makeDirectory(path("other", MAX_NEW_WAYS_BACK + 1), true);
  auto refused = answer.getOutcome();
  REQUIRE(refused.isFailed());
  CHECK(refused.getFailed().getReason() == Reason::INVALID_PATH);
  CHECK(w.makeDirectory("some//where///else//", true).getOutcome().isDone());
  CHECK(S_ISDIR(w.statusOf("some/where/else").st_mode));
}

TEST_CASE("what the user may not do is not done for him") {
  if (geteuid() != 0) SKIP("needs another user");
  FilesTestWorld w;
  {
    ActingRoot root;
    w.world.write("root/roots", "x");
    KJ_SYSCALL(chmod(w.world.at("root/roots").cStr(), 0600));
    w.world.makeDirectory("root/closed");
  }
  Collected collected;
  CHECK(w.read("roots", collected).getOutcome().getFailed().getReason() ==
        Reason::PERMISSION_DENIED);
  CHECK(w.beginWrite("closed/f").getOutcome().getFailed().getReason() == Reason::PERMISSION_DENIED);
  CHECK(w.makeDirectory("closed/d").getOutcome().getFailed().getReason() ==
        Reason::PERMISSION_DENIED);
}

TEST_CASE("S01 a failure gives back no more of a path than a path may have") {
  FilesTestWorld w;
  auto path = kj::heapArray<char>(1024 * 1024);
  memset(path.begin(), 'a', path.size());
  auto failed = w.stat(kj::str(path)).getOutcome().getFailed();
  CHECK(failed.getPath().size() == rpc::MAX_PATH_BYTES);
}

kj::Exception::Type refusalOf(FilesTestWorld& w, rpc::Files::Client files) {
  auto request = files.writeRequest();
  request.setPath(bytesOf("one-more"));
  auto failure = kj::runCatchingExceptions([&]() { request.send().wait(w.scope); });
  return KJ_REQUIRE_NONNULL(failure).getType();
}

TEST_CASE("S01 one lane may have only so many files open for writing") {
  FilesTestWorld w;
  using Write = capnp::Response<rpc::Files::WriteResults>;
  kj::Vector<Write> held;
  auto open = [&]() { held.add(w.beginWrite(kj::str("f", held.size()))); };
  const auto before = countDescriptors();
  while (held.size() < rpc::MAX_LANE_WRITERS) open();
  CHECK(countDescriptors() <= before + 2 * rpc::MAX_LANE_WRITERS);
  CHECK(refusalOf(w, w.files) == kj::Exception::Type::OVERLOADED);
  // A failed open takes nothing; an `end` and dropping give back.
  held.front().getSink().endRequest().send().wait(w.scope);
  CHECK(w.beginWrite("no/such/directory").getOutcome().isFailed());
  open();
  CHECK(refusalOf(w, w.files) == kj::Exception::Type::OVERLOADED);
  held.removeLast();
  open();
  CHECK(held.back().getOutcome().isDone());
}

TEST_CASE("S01 all lanes together may have only so many files open for writing") {
  FilesTestWorld w;
  kj::Vector<kj::Own<Places::Place>> others;
  while (others.size() < rpc::MAX_WRITERS) {
    others.add(KJ_REQUIRE_NONNULL(w.limits.writers->tryTake()));
  }
  CHECK(refusalOf(w, w.files) == kj::Exception::Type::OVERLOADED);
  others.removeLast();
  CHECK(w.beginWrite("f").getOutcome().isDone());
}

// The end of a client that reads nothing.
class DeafStream final: public kj::AsyncIoStream {
public:
  explicit DeafStream(kj::Own<kj::AsyncIoStream> inner) : inner(kj::mv(inner)) {}
  kj::Promise<size_t> tryRead(void*, size_t, size_t) override { return kj::NEVER_DONE; }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    return inner->write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return inner->write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }
  void shutdownWrite() override { inner->shutdownWrite(); }

private:
  kj::Own<kj::AsyncIoStream> inner;
};

// A guarded lane to a machine's files, whose client reads nothing.
struct DeafLane {
  kj::TwoWayPipe pipe;
  RpcConnection server;
  RpcConnection client;
  Collected collected;
  kj::Vector<kj::Promise<void>> reads;

  explicit DeafLane(FilesTestWorld& w)
      : pipe(w.io.provider->newTwoWayPipe()),
        server(kj::mv(pipe.ends[0]),
               newFilesFacet(w.programs, KJ_ASSERT_NONNULL(w.root), w.user.home, w.limits,
                             w.counters->addRef()),
               w.programs.timer,
               {GuardRules::Peer::ASKS, rpc::MAX_MESSAGE_WORDS, rpc::MAX_LANE_UNREAD_BYTES,
                rpc::MAX_LANE_ANSWERS, rpc::MAX_LANE_EXPORTS},
               w.lanes),
        client(kj::heap<DeafStream>(kj::mv(pipe.ends[1]))) {}

  void read(kj::StringPtr path) {
    auto request = client.bootstrap().castAs<rpc::Files>().readRequest();
    request.setPath(bytesOf(path));
    request.setSink(kj::heap<FilesTestWorld::CollectingSink>(collected));
    reads.add(request.send().ignoreResult().eagerlyEvaluate(nullptr));
  }
};

// With a file of four large chunks, and lanes that read none of it.
struct DeafLanes {
  FilesTestWorld w;
  kj::Vector<kj::Own<DeafLane>> lanes;

  DeafLanes() {
    w.put("f", "");
    KJ_SYSCALL(truncate(w.world.at("root/f").cStr(), 4 * FILE_CHUNK_BYTES));
  }
  void add(uint count) {
    for (uint i = 0; i < count; i++) {
      auto& lane = lanes.add(kj::heap<DeafLane>(w));
      for (uint k = 0; k < rpc::MAX_LANE_TRANSFERS; k++) lane->read("f");
    }
    w.scope.poll();
  }
  // Of those that another lane is sent.
  size_t largestChunk() {
    Collected read;
    CHECK(w.read("f", read).getOutcome().getDone() == 4 * FILE_CHUNK_BYTES);
    return read.largestChunk;
  }
};

TEST_CASE("S01 clients of many lanes that read nothing hold few large chunks of files") {
  DeafLanes f;
  constexpr uint LANES = 12;
  f.add(LANES);
  constexpr size_t transfers = LANES * rpc::MAX_LANE_TRANSFERS;
  // With what is counted of the calls themselves.
  constexpr size_t MOST =
      PREFERRED_CHUNKS_BYTES + rpc::PREFERRED_CHUNK_BYTES + transfers * 2 * SMALL_CHUNK_BYTES;
  static_assert(MOST < transfers * FILE_CHUNK_BYTES);
  CHECK(f.w.lanes.unread() >= PREFERRED_CHUNKS_BYTES);
  CHECK(f.w.lanes.total() <= MOST);
  // Others are served meanwhile, and all of it is there again afterwards.
  CHECK(f.largestChunk() == SMALL_CHUNK_BYTES);
  f.lanes.clear();
  f.w.scope.poll();
  CHECK(f.largestChunk() == FILE_CHUNK_BYTES);
}

TEST_CASE("S01 a few lanes that read nothing make nobody's chunks of files small") {
  DeafLanes f;
  f.add(2);
  CHECK(f.w.lanes.unread() >= LARGE_CHUNKS_BYTES);
  CHECK(f.largestChunk() == rpc::PREFERRED_CHUNK_BYTES);
}

TEST_CASE("S01 calls that wait make nobody's chunks of files small") {
  DeafLanes f;
  f.w.put("small", "x");
  for (int i = 0; i < 3; i++) {
    auto& lane = *f.lanes.add(kj::heap<DeafLane>(f.w));
    // Those beyond the first wait for a place.
    for (uint k = 0; k < rpc::MAX_LANE_TRANSFERS + rpc::MAX_WAITING_TRANSFERS; k++)
      lane.read("small");
    f.w.scope.poll();
  }
  CHECK(f.w.lanes.total() >= LARGE_CHUNKS_BYTES);
  CHECK(f.w.lanes.unread() < LARGE_CHUNKS_BYTES);
  CHECK(f.largestChunk() == FILE_CHUNK_BYTES);
}

TEST_CASE("every name is listed once, whatever the size of the pages") {
  FilesTestWorld w;
  w.world.makeDirectory("root/d");
  constexpr uint COUNT = 2500;
  for (uint i = 0; i < COUNT; i++) w.world.write(kj::str("root/d/file-", i), "");
  for (uint32_t limit : {7u, 1000u, 0u}) {
    std::set<std::string> seen;
    uint64_t cursor = 0;
    do {
      auto response = w.list("d", cursor, limit);
      auto page = response.getOutcome().getPage();
      CHECK(page.getEntries().size() <= (limit == 0 ? 1000 : limit));
      for (auto entry : page.getEntries()) {
        auto name = entry.getName().asChars();
        CHECK(seen.insert(std::string(name.begin(), name.size())).second);
      }
      cursor = page.getNextCursor();
    } while (cursor != 0);
    CHECK(seen.size() == COUNT);
  }
}

TEST_CASE("a tree of a thousand directories in each other is removed") {
  FilesTestWorld w;
  kj::String path = kj::str("deep");
  for (int i = 0; i < 1000; i++) path = kj::str(path, "/d");
  CHECK(w.makeDirectory(path, true).getOutcome().isDone());
  for (int i = 0; i < 300; i++) w.put(kj::str("deep/f", i), "x");
  CHECK(w.remove("deep", false).getOutcome().getFailed().getReason() == Reason::NOT_EMPTY);
  CHECK(w.remove("deep", true).getOutcome().isDone());
  CHECK_FALSE(w.world.has("root/deep"));
}

}  // namespace
}  // namespace bothy
