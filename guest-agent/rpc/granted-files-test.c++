#include "rpc/granted-files.h"

#include <capnp/dynamic.h>
#include <kj/async-io.h>
#include <kj/vector.h>
#include <malloc.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// Reads that last until they are ended.
class SlowFiles final: public rpc::Files::Server {
public:
  explicit SlowFiles(kj::Vector<kj::Own<kj::PromiseFulfiller<void>>>& reads) : reads(reads) {}
  kj::Promise<void> read(ReadContext context) override {
    auto paf = kj::newPromiseAndFulfiller<void>();
    reads.add(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }
  kj::Promise<void> home(HomeContext context) override { return kj::READY_NOW; }

private:
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>>& reads;
};

TEST_CASE("S25 each method of Files needs the right to read or the right to write") {
  class NoFiles final: public rpc::Files::Server {};
  auto io = kj::setupAsyncIo();
  auto isCalled = [&](capnp::InterfaceSchema::Method method, LaneGrant::Verbs verbs) {
    rpc::Files::Client files = newGrantedFiles(kj::heap<NoFiles>(), verbs);
    auto type = capnp::DynamicCapability::Client(files)
                    .newRequest(method)
                    .send()
                    .ignoreResult()
                    .then([]() { return kj::Exception::Type::FAILED; },
                          [](kj::Exception&& e) { return e.getType(); })
                    .wait(io.waitScope);
    return type == kj::Exception::Type::UNIMPLEMENTED;
  };
  using Verb = rpc::Verb;
  kj::Vector<kj::StringPtr> reading;
  for (auto method : capnp::Schema::from<rpc::Files>().getMethods()) {
    INFO(method.getProto().getName().cStr());
    const bool reads = isCalled(method, {Verb::READ_FILES});
    CHECK(isCalled(method, {Verb::WRITE_FILES}) != reads);
    // The same beneath a directory, which `files` is then.
    CHECK(isCalled(method, {Verb::READ_BENEATH}) == reads);
    CHECK(isCalled(method, {Verb::WRITE_BENEATH}) != reads);
    CHECK_FALSE(isCalled(method, {Verb::MACHINE, Verb::TERMINALS, Verb::PROGRAMS, Verb::CONTROL}));
    if (reads) reading.add(method.getProto().getName());
  }
  // One that is new has to be named in granted-files.c++, or fails above.
  CHECK(kj::strArray(reading, " ") == "stat list read exportTree home");
}

TEST_CASE("S01 only so many transfers of a lane are under way, and the others have their turn") {
  auto io = kj::setupAsyncIo();
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> reads;
  rpc::Files::Client files = newGrantedFiles(kj::heap<SlowFiles>(reads), {rpc::Verb::READ_FILES});
  kj::Vector<kj::Promise<void>> calls;
  for (kj::uint i = 0; i < 2 * rpc::MAX_LANE_TRANSFERS; i++) {
    calls.add(files.readRequest().send().ignoreResult());
  }
  io.waitScope.poll();
  CHECK(reads.size() == rpc::MAX_LANE_TRANSFERS);
  files.homeRequest().send().ignoreResult().wait(io.waitScope);

  // One that was given up while it waited is passed over; one that was under way makes room, and so does one that is done.
  calls[rpc::MAX_LANE_TRANSFERS] = nullptr;
  calls[0] = nullptr;
  reads[1]->fulfill();
  io.waitScope.poll();
  CHECK(reads.size() == rpc::MAX_LANE_TRANSFERS + 2);
  for (size_t i = 0; i < reads.size(); i++) {
    reads[i]->fulfill();
    io.waitScope.poll();
  }
  for (kj::uint i = 1; i < calls.size(); i++) {
    if (i != rpc::MAX_LANE_TRANSFERS) calls[i].wait(io.waitScope);
  }
  CHECK(reads.size() == 2 * rpc::MAX_LANE_TRANSFERS - 1);
}

TEST_CASE("S01 only so many transfers of a lane wait, and one more is told") {
  auto io = kj::setupAsyncIo();
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> reads;
  rpc::Files::Client files = newGrantedFiles(kj::heap<SlowFiles>(reads), {rpc::Verb::READ_FILES});
  kj::Vector<kj::Promise<void>> calls;
  auto isTaken = [&]() {
    calls.add(files.readRequest().send().ignoreResult());
    io.waitScope.poll();
    if (!calls.back().poll(io.waitScope)) return true;
    auto refused = [](kj::Exception&& e) { CHECK(e.getType() == kj::Exception::Type::OVERLOADED); };
    calls.back().catch_(kj::mv(refused)).wait(io.waitScope);
    calls.removeLast();
    return false;
  };
  for (kj::uint i = 0; i < rpc::MAX_LANE_TRANSFERS + rpc::MAX_WAITING_TRANSFERS; i++) {
    CHECK(isTaken());
  }
  CHECK_FALSE(isTaken());
  // One that is given up makes room.
  calls.removeLast();
  CHECK(isTaken());
  CHECK_FALSE(isTaken());
}

TEST_CASE("S01 transfers that were given up while they waited keep no memory") {
  auto io = kj::setupAsyncIo();
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> reads;
  rpc::Files::Client files = newGrantedFiles(kj::heap<SlowFiles>(reads), {rpc::Verb::READ_FILES});
  kj::Vector<kj::Promise<void>> calls;
  for (kj::uint i = 0; i < rpc::MAX_LANE_TRANSFERS; i++) {
    calls.add(files.readRequest().send().ignoreResult());
  }
  auto giveUp = [&](kj::uint count) {
    for (kj::uint i = 0; i < count; i++) {
      auto call = files.readRequest().send().ignoreResult();
      io.waitScope.poll();
    }
    return mallinfo2().uordblks;
  };
  constexpr kj::uint CALLS = 10000;
  constexpr size_t ALLOWED_BYTES = 64 * 1024;
  const auto before = giveUp(100);
  CHECK(giveUp(CALLS) < before + ALLOWED_BYTES);
}

}  // namespace
}  // namespace bothy
