#include "files/file-writer.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
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
