#include "files/files-facet.h"

#include <kj/async-io.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <set>
#include <string>

#include "schema/limits.capnp.h"
#include "tree/test-directory.h"
#include "tree/test-tar.h"
#include "wire/byte-sink.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

using Reason = rpc::FileFailure::Reason;
using Disposition = rpc::Files::WriteOptions::Disposition;

// Root becomes this user, who exists nowhere else; anybody else stays who he is.
constexpr uid_t TEST_UID = 54321;

struct Collected {
  kj::Vector<kj::byte> bytes;
  uint64_t count = 0;
  bool keep = true;
  bool ended = false;
};

class CollectingSink final: public rpc::ByteSink::Server {
public:
  explicit CollectingSink(Collected& collected) : collected(collected) {}
  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    collected.count += data.size();
    if (collected.keep) collected.bytes.addAll(data);
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext) override {
    collected.ended = true;
    return kj::READY_NOW;
  }

private:
  Collected& collected;
};

capnp::Data::Reader bytesOf(kj::StringPtr text) {
  return text.asBytes();
}

kj::AsyncIoContext setupIo() {
  Reaper::captureChildExit();
  return kj::setupAsyncIo();
}

// The facet of a directory, seen through a real connection.
struct FilesWorld {
  TestDirectory world;
  kj::AsyncIoContext io = setupIo();
  kj::WaitScope& scope = io.waitScope;
  ProcessHost host{io.unixEventPort, io.provider->getTimer(), ProcessHost::Options{}};
  User user = {
      kj::str("tester"),
      geteuid() == 0 ? TEST_UID : geteuid(),
      geteuid() == 0 ? TEST_UID : getegid(),
      geteuid() == 0 ? kj::heapArray<gid_t>({TEST_UID}) : kj::heapArray<gid_t>({getegid()}),
      kj::str("/"),
      kj::str("/bin/sh")};
  kj::TwoWayPipe pipe = io.provider->newTwoWayPipe();
  kj::Maybe<RpcConnection> server;
  kj::Own<RpcConnection> client = kj::heap<RpcConnection>(kj::mv(pipe.ends[1]));
  rpc::Files::Client files = client->bootstrap().castAs<rpc::Files>();

  FilesWorld() {
    world.makeDirectory("root");
    world.makeDirectory("outside");
    world.write("outside/secret", "secret");
    KJ_SYSCALL(chmod(world.path.cStr(), 0755));
    KJ_SYSCALL(chown(world.at("root").cStr(), user.uid, user.gid));
    server.emplace(kj::mv(pipe.ends[0]), newFilesFacet(host, openRoot(world.at("root")), user));
  }

  void put(kj::StringPtr name, kj::StringPtr text) {
    auto path = kj::str("root/", name);
    world.write(path, text);
    KJ_SYSCALL(chown(world.at(path).cStr(), user.uid, user.gid));
  }
  kj::String get(kj::StringPtr name) { return world.read(kj::str("root/", name)); }
  struct stat statusOf(kj::StringPtr name) { return world.status(kj::str("root/", name)); }

  auto stat(kj::StringPtr path, bool follow = true) {
    auto request = files.statRequest();
    request.setPath(bytesOf(path));
    request.setFollowLinks(follow);
    return request.send().wait(scope);
  }
  Reason statFailure(kj::StringPtr path) {
    auto response = stat(path);
    REQUIRE(response.getOutcome().isFailed());
    return response.getOutcome().getFailed().getReason();
  }
  auto beginWrite(kj::StringPtr path, Disposition disposition = Disposition::REPLACE,
                  bool makeParents = false, uint64_t offset = 0) {
    auto request = files.writeRequest();
    request.setPath(bytesOf(path));
    auto options = request.initOptions();
    options.setDisposition(disposition);
    options.setMakeParents(makeParents);
    options.setOffset(offset);
    return request.send().wait(scope);
  }
  void send(rpc::ByteSink::Client sink, kj::ArrayPtr<const kj::byte> bytes) {
    SinkWriter writer(sink);
    while (bytes.size() > 0) {
      auto count = kj::min(bytes.size(), size_t(rpc::PREFERRED_CHUNK_BYTES));
      writer.send(bytes.slice(0, count)).wait(scope);
      bytes = bytes.slice(count, bytes.size());
    }
  }
  void write(kj::StringPtr path, kj::StringPtr text, Disposition disposition = Disposition::REPLACE,
             bool makeParents = false, uint64_t offset = 0) {
    auto response = beginWrite(path, disposition, makeParents, offset);
    REQUIRE(response.getOutcome().isDone());
    send(response.getSink(), text.asBytes());
    response.getSink().endRequest().send().wait(scope);
  }
  auto read(kj::StringPtr path, Collected& collected, uint64_t offset = 0, uint64_t length = 0) {
    auto request = files.readRequest();
    request.setPath(bytesOf(path));
    request.setOffset(offset);
    request.setLength(length);
    request.setSink(kj::heap<CollectingSink>(collected));
    return request.send().wait(scope);
  }
  auto makeDirectory(kj::StringPtr path, bool makeParents = false) {
    auto request = files.makeDirectoryRequest();
    request.setPath(bytesOf(path));
    request.setMakeParents(makeParents);
    return request.send().wait(scope);
  }
  auto move(kj::StringPtr from, kj::StringPtr to, bool replace) {
    auto request = files.moveRequest();
    request.setFrom(bytesOf(from));
    request.setTo(bytesOf(to));
    request.setReplace(replace);
    return request.send().wait(scope);
  }
  auto remove(kj::StringPtr path, bool recursive) {
    auto request = files.removeRequest();
    request.setPath(bytesOf(path));
    request.setRecursive(recursive);
    return request.send().wait(scope);
  }
  auto list(kj::StringPtr path, uint64_t cursor, uint32_t limit) {
    auto request = files.listRequest();
    request.setPath(bytesOf(path));
    request.setCursor(cursor);
    request.setLimit(limit);
    return request.send().wait(scope);
  }
  auto import(kj::StringPtr path, kj::ArrayPtr<const kj::byte> archive) {
    auto request = files.importTreeRequest();
    request.setPath(bytesOf(path));
    auto response = request.send().wait(scope);
    REQUIRE(response.getOutcome().isDone());
    auto sink = response.getSink();
    // A worker that has refused takes no more: its result says why.
    auto sending = kj::evalNow([&]() -> kj::Promise<void> {
                     auto write = sink.writeRequest();
                     write.setData(archive);
                     return write.send().then(
                         [sink]() mutable { return sink.endRequest().send().ignoreResult(); });
                   }).catch_([](kj::Exception&&) {});
    sending.wait(scope);
    return response.getImport().resultRequest().send().wait(scope);
  }
};

TEST_CASE("a file is written, read back in ranges, looked at, moved and removed") {
  FilesWorld w;
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

TEST_CASE("S07 a path that leads out of the root is refused by every operation") {
  FilesWorld w;
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
  FilesWorld w;
  CHECK(w.statFailure("") == Reason::INVALID_PATH);
  CHECK(w.statFailure(kj::StringPtr("a\0b", 3)) == Reason::INVALID_PATH);
  CHECK(w.statFailure(kj::str(kj::repeat('x', 5000))) == Reason::INVALID_PATH);
  CHECK(w.statFailure(kj::str(kj::repeat('x', 256))) == Reason::INVALID_PATH);
}

TEST_CASE("a FIFO is not waited for") {
  FilesWorld w;
  KJ_SYSCALL(mkfifo(w.world.at("root/fifo").cStr(), 0666));
  KJ_SYSCALL(chown(w.world.at("root/fifo").cStr(), w.user.uid, w.user.gid));
  Collected collected;
  CHECK(w.read("fifo", collected).getOutcome().getFailed().getReason() == Reason::NOT_REGULAR);
  CHECK(w.beginWrite("fifo", Disposition::PATCH).getOutcome().getFailed().getReason() ==
        Reason::NOT_REGULAR);
  CHECK(w.beginWrite("fifo").getOutcome().getFailed().getReason() == Reason::NOT_REGULAR);
}

TEST_CASE("P19 a file and the parents made for it belong to the user") {
  FilesWorld w;
  w.write("a/b/c/f", "text", Disposition::REPLACE, true);
  for (auto path : {"a", "a/b", "a/b/c", "a/b/c/f"}) {
    CHECK(w.statusOf(path).st_uid == w.user.uid);
    CHECK(w.statusOf(path).st_gid == w.user.gid);
  }
  CHECK((w.statusOf("a").st_mode & 07777) == 0755);
  CHECK((w.statusOf("a/b/c/f").st_mode & 07777) == 0644);
  CHECK(w.remove("a", true).getOutcome().isDone());
  CHECK_FALSE(w.world.has("root/a"));
}

TEST_CASE("what the user may not do is not done for him") {
  if (geteuid() != 0) SKIP("needs another user");
  FilesWorld w;
  w.world.write("root/roots", "x");
  KJ_SYSCALL(chmod(w.world.at("root/roots").cStr(), 0600));
  w.world.makeDirectory("root/closed");
  Collected collected;
  CHECK(w.read("roots", collected).getOutcome().getFailed().getReason() ==
        Reason::PERMISSION_DENIED);
  CHECK(w.beginWrite("closed/f").getOutcome().getFailed().getReason() == Reason::PERMISSION_DENIED);
  CHECK(w.makeDirectory("closed/d").getOutcome().getFailed().getReason() ==
        Reason::PERMISSION_DENIED);
  // And the agent is itself again.
  w.world.write("root/closed/by-root", "x");
  CHECK(w.world.status("root/closed/by-root").st_uid == 0);
}

TEST_CASE("P21 a replaced file is the old one until its end, and the new one after it") {
  FilesWorld w;
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

TEST_CASE("createNew fails where there is a file, also one that came meanwhile") {
  FilesWorld w;
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
  FilesWorld w;
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
  FilesWorld w;
  w.put("f", "0123456789");
  w.write("f", "ab", Disposition::PATCH, false, 4);
  CHECK(w.get("f") == "0123ab6789");
}

TEST_CASE("every name is listed once, whatever the size of the pages") {
  FilesWorld w;
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
  FilesWorld w;
  kj::String path = kj::str("deep");
  for (int i = 0; i < 1000; i++) path = kj::str(path, "/d");
  CHECK(w.makeDirectory(path, true).getOutcome().isDone());
  for (int i = 0; i < 300; i++) w.put(kj::str("deep/f", i), "x");
  CHECK(w.remove("deep", false).getOutcome().getFailed().getReason() == Reason::NOT_EMPTY);
  CHECK(w.remove("deep", true).getOutcome().isDone());
  CHECK_FALSE(w.world.has("root/deep"));
}

long peakKilobytes() {
  rusage usage;
  KJ_SYSCALL(getrusage(RUSAGE_SELF, &usage));
  return usage.ru_maxrss;
}

TEST_CASE("P18 a file of 64 MiB goes through without being held in memory") {
  FilesWorld w;
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

TEST_CASE("a tree goes out as a tar and comes in again, as the user's") {
  FilesWorld w;
  w.makeDirectory("tree/sub", true);
  w.write("tree/sub/f", "text");
  KJ_SYSCALL(symlink("sub/f", w.world.at("root/tree/link").cStr()));
  auto request = w.files.exportTreeRequest();
  request.setPath(bytesOf("tree"));
  Collected archive;
  request.setSink(kj::heap<CollectingSink>(archive));
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

TEST_CASE("a single file is exported under its name") {
  FilesWorld w;
  w.put("f", "text");
  auto request = w.files.exportTreeRequest();
  request.setPath(bytesOf("f"));
  Collected archive;
  request.setSink(kj::heap<CollectingSink>(archive));
  CHECK(request.send().wait(w.scope).getOutcome().getDone().getEntries() == 1);
  w.makeDirectory("d");
  CHECK(w.import("d", archive.bytes.asPtr()).getOutcome().isDone());
  CHECK(w.get("d/f") == "text");
}

TEST_CASE("S06 a hostile tar that is sent into the guest stays below its directory") {
  FilesWorld w;
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
  FilesWorld w;
  w.makeDirectory("d");
  constexpr kj::byte RAR[] = {'R', 'a', 'r', '!', 0x1a, 0x07, 0x00, 0xcf, 0x90, 0x73, 0x00, 0x00};
  auto response = w.import("d", kj::arrayPtr(RAR, sizeof(RAR)));
  CHECK(response.getOutcome().getFailed().getReason() == Reason::INVALID_ARCHIVE);
}

TEST_CASE("an import whose sink is dropped before its end is not taken for whole") {
  FilesWorld w;
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

}  // namespace
}  // namespace bothy
