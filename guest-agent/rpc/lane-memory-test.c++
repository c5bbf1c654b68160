// What lanes may hold together, and what each has whatever the others hold.

#include <kj/debug.h>
#include <kj/vector.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "lane/lane-greeting.h"
#include "rpc/test-connections.h"

namespace bothy {
namespace {

constexpr size_t MIB = 1024 * 1024;

LaneGrant grantOf(kj::StringPtr actor) {
  auto grant = wholeGrant(rpc::Purpose::FILES, actor);
  grant.actor = kj::str(actor);
  return grant;
}

// A lane on which a message began that does not end.
struct UnfinishedMessage {
  kj::Own<kj::AsyncIoStream> stream;
  kj::Array<kj::byte> part;
  bool isTaken = false;
  bool hasEnded = false;
  kj::Promise<void> sending = nullptr, hearing = nullptr;

  UnfinishedMessage(TestConnections& f, kj::StringPtr actor, size_t bytes)
      : stream(f.dialRaw()), part(kj::heapArray<kj::byte>(bytes)) {
    writeHello(*stream, secretOf(7)).wait(f.scope);
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    grantOf(actor).writeTo(message->initRoot<rpc::Grant>());
    writeGreeting(*stream, kj::mv(message)).wait(f.scope);
    // One segment of so many words.
    const uint32_t table[] = {0, uint32_t(rpc::MAX_MESSAGE_WORDS - 1)};
    memset(part.begin(), 0, part.size());
    memcpy(part.begin(), table, sizeof(table));
    sending = stream->write(part.begin(), part.size())
                  .then([this]() { isTaken = true; }, [](kj::Exception&&) {})
                  .eagerlyEvaluate(nullptr);
    hearing = stream->readAllBytes()
                  .ignoreResult()
                  .catch_([](kj::Exception&&) {})
                  .then([this]() { hasEnded = true; })
                  .eagerlyEvaluate(nullptr);
  }
};

struct CrowdedConnections: public TestConnections {
  kj::Vector<kj::Own<UnfinishedMessage>> unfinished;

  // Of many bytes only some are read in a turn.
  template <typename IsOver>
  bool passUntil(IsOver&& isOver) {
    constexpr int TURNS = 10'000;
    for (int i = 0; i < TURNS && !isOver(); i++) pass(1 * kj::MILLISECONDS);
    return isOver();
  }
  void begin(kj::StringPtr actor, size_t lanes, size_t bytes = 7 * MIB) {
    for (size_t i = 0; i < lanes; i++) {
      unfinished.add(kj::heap<UnfinishedMessage>(*this, actor, bytes));
    }
  }
  // Several who hold all that lanes may.
  void holdAll() {
    for (auto actor : {"one", "two", "three"}) begin(actor, 3);
    REQUIRE(passUntil([&]() { return memory.total() >= LANES_MEMORY_BYTES; }));
  }
  size_t ended() {
    size_t count = 0;
    for (auto& lane : unfinished) count += lane->hasEnded;
    return count;
  }
  kj::Promise<void> send(rpc::Files::Client& files, size_t bytes) {
    auto request = files.removeRequest();
    memset(request.initPath(bytes).begin(), 'x', bytes);
    return request.send().ignoreResult().eagerlyEvaluate(nullptr);
  }
};

TEST_CASE(
    "S01 who holds all there is keeps no lane from sending a chunk, however many calls it has") {
  const size_t calls = GENERATE(0, 16, 68, 1000);
  CAPTURE(calls);
  CrowdedConnections f;
  auto lane = f.enter(grantOf("neighbour"));
  auto files = lane->bootstrap().castAs<rpc::Files>();
  kj::Vector<kj::Promise<void>> waiting;
  while (waiting.size() < calls) {
    waiting.add(
        files.makeDirectoryRequest().send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {}));
  }
  REQUIRE(
      f.passUntil([&]() { return f.memory.total() >= calls * MessageGuard::WAITING_CALL_BYTES; }));
  f.holdAll();
  // What is being read already comes to its end whatever its lane holds.
  for (size_t bytes : {size_t{1}, size_t{1}, FILE_CHUNK_BYTES, size_t{1}}) {
    auto done = f.send(files, bytes);
    CHECK(f.passUntil([&]() { return done.poll(f.scope); }));
  }
  CHECK(f.ended() == 0);
}

TEST_CASE("S01 one actor holds no more than its part of what lanes may, beside the share of each") {
  CrowdedConnections f;
  f.begin("greedy", 5);
  REQUIRE(f.passUntil([&]() { return f.memory.total() >= LANES_ACTOR_BYTES; }));
  for (int i = 0; i < 1000; i++) f.pass(1 * kj::MILLISECONDS);
  CHECK(f.memory.total() <= LANES_ACTOR_BYTES + 5 * (LANE_SHARE_BYTES + MAX_VSOCK_READ_BYTES));
  // Others have what is left.
  f.begin("neighbour", 1);
  CHECK(f.passUntil([&]() { return f.unfinished.back()->isTaken; }));
}

TEST_CASE("S01 lanes whose messages stand still end where another wants the room, and not before") {
  CrowdedConnections f;
  f.begin("one", 2);
  f.begin("two", 2);
  REQUIRE(f.passUntil([&]() {
    for (auto& lane : f.unfinished) {
      if (!lane->isTaken) return false;
    }
    return true;
  }));
  f.pass(100 * MessageGuard::MOST_STANDSTILL);
  CHECK(f.ended() == 0);
  auto lane = f.enter(grantOf("neighbour"));
  auto files = lane->bootstrap().castAs<rpc::Files>();
  auto done = f.send(files, 6 * MIB);
  CHECK_FALSE(f.passUntil([&]() { return f.ended() > 0; }));
  f.pass(MessageGuard::MOST_STANDSTILL);
  CHECK(f.passUntil([&]() { return done.poll(f.scope); }));
  CHECK(f.passUntil([&]() { return f.ended() > 0; }));
  CHECK(f.ended() == 1);
}

TEST_CASE(
    "S01 of lanes that wait for each other's room some end, and those who want little do not") {
  CrowdedConnections f;
  f.holdAll();
  auto lane = f.enter(grantOf("neighbour"));
  auto files = lane->bootstrap().castAs<rpc::Files>();
  // The arguments of a program may have so much.
  auto done = f.send(files, 2 * MIB);
  CHECK(f.passUntil([&]() { return done.poll(f.scope); }));
  CHECK(f.ended() == 0);
  f.pass(MessageGuard::MOST_WAIT);
  CHECK(f.passUntil([&]() { return f.ended() > 0; }));
  CHECK(f.ended() < f.unfinished.size() / 2);
  CHECK_FALSE(lane->hasEnded());
}

TEST_CASE("S01 all lanes of a machine together hold a bounded part of its memory") {
  // With what each may hold beyond it unnoticed.
  constexpr size_t MOST = LANES_MOST_BYTES + rpc::MAX_LANES * MessageBudget::LEAST_LOOK_BYTES;
  static_assert(MOST <= 60 * 1024 * 1024);
  CrowdedConnections f;
  auto lane = f.enter(grantOf("neighbour"));
  auto files = lane->bootstrap().castAs<rpc::Files>();
  kj::Vector<kj::Own<Lane>> lanes;
  kj::Vector<rpc::Files::Client> clients;
  kj::Vector<kj::Promise<void>> waiting;
  for (int i = 0; i < 8; i++) {
    lanes.add(f.enter(grantOf(i < 4 ? "greedy" : "another")));
    clients.add(lanes.back()->bootstrap().castAs<rpc::Files>());
  }
  size_t most = 0;
  for (size_t i = 0; i < 1000; i++) {
    for (auto& client : clients) {
      waiting.add(client.makeDirectoryRequest().send().ignoreResult().eagerlyEvaluate(
          [](kj::Exception&&) {}));
    }
    f.pass(1 * kj::MILLISECONDS);
    most = kj::max(most, f.memory.total());
  }
  CHECK(most <= MOST);
  CHECK(most > LANES_MEMORY_BYTES);
  auto done = f.send(files, FILE_CHUNK_BYTES);
  CHECK(f.passUntil([&]() { return done.poll(f.scope); }));
  size_t ended = 0;
  for (auto& greedy : lanes) ended += greedy->hasEnded();
  CHECK(ended > 0);
}

}  // namespace
}  // namespace bothy
