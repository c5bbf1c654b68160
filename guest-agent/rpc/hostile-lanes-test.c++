// What some lanes can do to an honest one by what they make the agent hold: by calls that anybody may make, however little was granted.

#include <capnp/rpc-twoparty.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <string.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "rpc/host-connections.h"
#include "schema/files.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

constexpr size_t MIB = 1024 * 1024;
// What a program that does not read its stdin has waiting of one lane.
constexpr kj::uint STDIN_CALLS = 4;
constexpr size_t STDIN_CALL_BYTES = 256 * 1024;
// As much as a lane may do.
constexpr GuardRules RULES = {GuardRules::Peer::ASKS, rpc::MAX_MESSAGE_WORDS,
                              rpc::MAX_LANE_UNREAD_BYTES, rpc::MAX_LANE_ANSWERS,
                              rpc::MAX_LANE_EXPORTS};

// Takes so much every 10 ms, as a client far away.
class SlowStream final: public kj::AsyncIoStream {
public:
  SlowStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer, size_t bytes)
      : inner(kj::mv(inner)), timer(timer), bytes(bytes) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override {
    size_t have = 0;
    while (have < minBytes) {
      co_await timer.afterDelay(10 * kj::MILLISECONDS);
      const auto came = co_await inner->tryRead(static_cast<char*>(buffer) + have, 1,
                                                kj::min(maxBytes - have, bytes));
      if (came == 0) break;
      have += came;
    }
    co_return have;
  }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    return inner->write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return inner->write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return inner->whenWriteDisconnected(); }
  void shutdownWrite() override { inner->shutdownWrite(); }

private:
  kj::Own<kj::AsyncIoStream> inner;
  kj::Timer& timer;
  const size_t bytes;
};

struct Agent: private kj::TaskSet::ErrorHandler {
  class SomeFiles final: public rpc::Files::Server {
    // A large chunk.
    kj::Promise<void> home(HomeContext context) override {
      auto path = context.getResults().initPath(MIB);
      memset(path.begin(), 'h', path.size());
      return kj::READY_NOW;
    }
    kj::Promise<void> remove(RemoveContext) override { return kj::READY_NOW; }
    kj::Promise<void> makeDirectory(MakeDirectoryContext) override { return kj::NEVER_DONE; }
    kj::Promise<void> read(ReadContext) override { return kj::NEVER_DONE; }
  };

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  MessageBudget memory{LANES_LIMITS};
  kj::TaskSet lanes{*this};

  // The client's end of a lane.
  kj::Own<kj::AsyncIoStream> dial(kj::StringPtr holder, int sendBuffer = 0) {
    auto pipe = io.provider->newTwoWayPipe();
    if (sendBuffer > 0) {
      pipe.ends[1]->setsockopt(SOL_SOCKET, SO_SNDBUF, &sendBuffer, sizeof(sendBuffer));
    }
    auto stream = kj::heap<VsockStream>(kj::mv(pipe.ends[1]));
    auto& slowed = *stream;
    auto lane = kj::heap<RpcConnection>(kj::mv(stream), kj::heap<SomeFiles>(), timer, RULES, memory,
                                        nullptr, holder);
    auto& guard = lane->requireGuard();
    slowed.slowReads([&guard](size_t have) { return guard.waitForPart(have); });
    auto ended = lane->onDisconnect();
    lanes.add(ended.attach(kj::mv(lane)));
    return kj::mv(pipe.ends[0]);
  }
  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
  template <typename IsOver>
  bool passUntil(IsOver&& isOver, kj::Duration most = 10 * kj::SECONDS) {
    for (const auto end = timer.now() + most; timer.now() < end && !isOver();) {
      pass(1 * kj::MILLISECONDS);
    }
    return isOver();
  }
  void passFor(kj::Duration time) {
    for (const auto end = timer.now() + time; timer.now() < end;) pass(10 * kj::MILLISECONDS);
  }

private:
  void taskFailed(kj::Exception&& exception) override {
    KJ_LOG(ERROR, "a lane failed", exception.getDescription());
  }
};

// A client that speaks by hand.
struct Hostile {
  Agent& agent;
  kj::Own<kj::AsyncIoStream> stream;
  kj::Vector<kj::byte> out;
  kj::Promise<void> sending = kj::READY_NOW, hearing = kj::READY_NOW;
  bool hasEnded = false;
  uint32_t next = 1;

  Hostile(Agent& agent, kj::StringPtr holder, int sendBuffer = 0)
      : agent(agent), stream(agent.dial(holder, sendBuffer)) {
    add([](capnp::rpc::Message::Builder message) { message.initBootstrap().setQuestionId(0); });
  }
  template <typename Fill>
  void add(Fill&& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<capnp::rpc::Message>());
    out.addAll(capnp::messageToFlatArray(message).asBytes());
  }
  // On the lane's files, or on what the answer to a question will be.
  template <typename Params, typename Fill>
  void call(uint16_t method, Fill&& fill, uint32_t target = 0) {
    add([&](capnp::rpc::Message::Builder message) {
      auto call = message.initCall();
      call.setQuestionId(next++);
      auto answer = call.initTarget().initPromisedAnswer();
      answer.setQuestionId(target);
      if (target > 0) answer.initTransform(1)[0].setGetPointerField(0);
      call.setInterfaceId(capnp::typeId<rpc::Files>());
      call.setMethodId(method);
      call.getSendResultsTo().setCaller();
      fill(call.initParams().getContent().initAs<Params>());
    });
  }
  // A `read` without an end, and calls on what it will answer.
  void wait(kj::uint calls, size_t bytes = 4000) {
    const auto reading = next;
    call<rpc::Files::ReadParams>(2, [](auto) {});
    for (kj::uint i = 1; i < calls; i++) {
      call<rpc::Files::StatParams>(0, [&](auto params) { params.initPath(bytes); }, reading);
    }
    send();
  }
  void stat(size_t bytes) {
    call<rpc::Files::StatParams>(0, [&](auto params) { params.initPath(bytes); });
    send();
  }
  void send() {
    auto bytes = out.releaseAsArray();
    sending = sending
                  .then([this, bytes = kj::mv(bytes)]() mutable {
                    auto writing = stream->write(bytes.begin(), bytes.size());
                    return writing.attach(kj::mv(bytes));
                  })
                  .catch_([](kj::Exception&&) {})
                  .eagerlyEvaluate(nullptr);
  }
  void hear() {
    hearing = stream->readAllBytes()
                  .ignoreResult()
                  .catch_([](kj::Exception&&) {})
                  .then([this]() { hasEnded = true; })
                  .eagerlyEvaluate(nullptr);
  }
};

// Takes so much every 10 ms, where that is not all.
struct Honest {
  Agent& agent;
  kj::Own<kj::AsyncIoStream> stream;
  capnp::TwoPartyClient lane;
  rpc::Files::Client files = lane.bootstrap().castAs<rpc::Files>();
  kj::Vector<kj::Promise<void>> calls;
  kj::uint done = 0, failed = 0;

  Honest(Agent& agent, kj::StringPtr holder, size_t bytesIn10Millis = 0)
      : agent(agent), stream(dial(agent, holder, bytesIn10Millis)), lane(*stream) {}

  static kj::Own<kj::AsyncIoStream> dial(Agent& agent, kj::StringPtr holder,
                                         size_t bytesIn10Millis) {
    if (bytesIn10Millis == 0) return agent.dial(holder);
    return kj::heap<SlowStream>(agent.dial(holder, 64 * 1024), agent.timer, bytesIn10Millis);
  }
  template <typename Request>
  void go(Request&& request) {
    calls.add(request.send()
                  .ignoreResult()
                  .then([this]() { ++done; }, [this](kj::Exception&&) { ++failed; })
                  .eagerlyEvaluate(nullptr));
  }
  // A call that is answered at once.
  void send(size_t bytes) {
    auto request = files.removeRequest();
    request.initPath(bytes);
    go(request);
  }
  // Calls that nobody answers.
  void wait(kj::uint count, size_t bytes = 10) {
    for (kj::uint i = 0; i < count; i++) {
      auto request = files.makeDirectoryRequest();
      request.initPath(bytes);
      go(request);
    }
    agent.passUntil([]() { return false; }, 500 * kj::MILLISECONDS);
  }
  // Whether so many small calls more are answered.
  bool isServed(kj::uint count = 2) {
    const auto before = done;
    for (kj::uint i = 0; i < count; i++) send(1);
    return agent.passUntil([&]() { return done == before + count; });
  }
  void fetch(kj::uint count) {
    for (kj::uint i = 0; i < count; i++) go(files.homeRequest());
  }
};

struct Hostiles {
  Agent& agent;
  kj::Vector<kj::Own<Hostile>> all;

  Hostile& add(kj::StringPtr holder) {
    auto& lane = *all.add(kj::heap<Hostile>(agent, holder));
    lane.hear();
    return lane;
  }
  // Lanes of calls that wait, until they hold so much.
  void hold(size_t bytes, kj::StringPtr holder) {
    constexpr kj::uint CALLS = 400;
    const auto before = agent.memory.total();
    for (int i = 0; i < 16 && agent.memory.total() < before + bytes; i++) {
      add(holder).wait(CALLS);
      agent.passUntil([&]() { return agent.memory.total() >= before + bytes; }, 1 * kj::SECONDS);
    }
    REQUIRE(agent.memory.total() >= before + bytes);
  }
  size_t ended() {
    size_t count = 0;
    for (auto& lane : all) count += lane->hasEnded;
    return count;
  }
};

constexpr kj::StringPtr HOSTILE = "hostile"_kj, HONEST = "honest"_kj, NOBODYS = ""_kj;

TEST_CASE("S01 calls that fill the whole keep no lane from signals, though it has much waiting") {
  const auto isFirst = GENERATE(true, false);
  const auto holder = GENERATE(HONEST, NOBODYS);
  Agent agent;
  Hostiles hostile{agent, {}};
  Honest honest(agent, holder);
  if (isFirst) hostile.hold(LANES_MEMORY_BYTES, HOSTILE);
  // More programs that do not read their stdin than who has little may have.
  honest.wait(5 * STDIN_CALLS, STDIN_CALL_BYTES);
  if (!isFirst) {
    hostile.hold(LANES_MEMORY_BYTES, HOSTILE);
    CHECK(honest.isServed());
  }
  agent.passFor(2 * MessageGuard::MOST_WAIT);
  CHECK(honest.isServed());
  CHECK(honest.failed == 0);
}

TEST_CASE("S01 a lane has its signals though others of its holder fill the whole by calls") {
  Agent agent;
  Hostiles hostile{agent, {}};
  Honest honest(agent, HOSTILE);
  honest.wait(4 * STDIN_CALLS, STDIN_CALL_BYTES);
  hostile.hold(LANES_MEMORY_BYTES, HOSTILE);
  for (int i = 0; i < 3; i++) {
    CHECK(honest.isServed());
    agent.passFor(MessageGuard::MOST_WAIT);
  }
  CHECK(honest.failed == 0);
}

TEST_CASE("S01 a holder above what one may have gives to another who sends a large message") {
  Agent agent;
  Hostiles hostile{agent, {}};
  Honest honest(agent, HONEST);
  honest.wait(1000);
  hostile.hold(LANES_MEMORY_BYTES - 4 * MIB, HOSTILE);
  honest.send(2 * MIB);
  agent.passFor(MessageGuard::MOST_STANDSTILL + 1 * kj::SECONDS);
  CHECK(honest.done == 1);
  CHECK(honest.failed == 0);
  CHECK(hostile.ended() > 0);
  CHECK(hostile.ended() < hostile.all.size());
}

TEST_CASE("S01 a lane that waits ends none that moves, and at last itself") {
  const auto holder = GENERATE(HOSTILE, HONEST, NOBODYS);
  Agent agent;
  Hostiles hostile{agent, {}};
  // Within a message, and between messages.
  auto& waiting = hostile.add(HOSTILE);
  waiting.wait(300);
  auto& between = hostile.add(HOSTILE);
  between.stat(LANE_SHARE_BYTES + 10'000);
  hostile.hold(LANES_MEMORY_BYTES, HOSTILE);
  waiting.stat(2 * MIB);
  between.stat(10);
  agent.passFor(MessageGuard::MOST_STANDSTILL + 2 * kj::SECONDS);
  // Reads 6.4 MB a second without a pause: three transfers at a time.
  Honest reader(agent, holder, 64 * 1024);
  Honest honest(agent, holder);
  honest.wait(200);
  for (kj::uint i = 0; i < 10; i++) {
    reader.fetch(3);
    CHECK(agent.passUntil([&]() { return reader.done == 3 * (i + 1); }));
  }
  agent.passFor(MessageGuard::MOST_WAIT);
  CHECK(reader.failed == 0);
  CHECK(honest.isServed());
  CHECK(honest.failed == 0);
  CHECK(waiting.hasEnded);
  CHECK(hostile.ended() == 1);
}

TEST_CASE("S01 a slow reader that reads is not ended for another who waits") {
  Agent agent;
  Hostiles hostile{agent, {}};
  // 100 kB a second.
  Honest honest(agent, HONEST, 1000);
  honest.wait(150);
  honest.fetch(12);
  agent.passFor(200 * kj::MILLISECONDS);
  hostile.hold(LANES_MEMORY_BYTES - 4 * MIB, HOSTILE);
  auto& waiting = hostile.add("another");
  waiting.wait(150);
  waiting.stat(2 * MIB);
  agent.passFor(MessageGuard::MOST_WAIT + 10 * kj::SECONDS);
  CHECK(honest.done >= 4);
  CHECK(honest.failed == 0);
  CHECK(hostile.ended() > 0);
}

TEST_CASE("S01 answers of which nothing is taken any more are counted while they are written") {
  constexpr kj::uint ANSWERS = 400;
  Agent agent;
  // So that the first of what waits is taken, and most is not.
  constexpr int SMALL_BUFFER = 4608;
  Hostile lane(agent, HOSTILE, SMALL_BUFFER);
  for (kj::uint i = 0; i < ANSWERS; i++) {
    lane.call<rpc::Files::StatParams>(0, [](auto) {});
  }
  lane.send();
  constexpr size_t WAITING = ANSWERS * MessageGuard::WAITING_MESSAGE_BYTES;
  REQUIRE(agent.passUntil([&]() { return agent.memory.total() >= WAITING; }));
  kj::byte buffer[64];
  for (int i = 0; i < 200; i++) {
    lane.stream->tryRead(buffer, sizeof(buffer), sizeof(buffer)).wait(agent.scope);
    agent.pass(1 * kj::MILLISECONDS);
  }
  CHECK(agent.memory.total() >= WAITING / 4 * 3);
}

TEST_CASE(
    "S01 two holders' many lanes, each with little, do not make another's the one that ends") {
  Agent agent;
  Hostiles hostile{agent, {}};
  for (int i = 0; i < 24; i++) hostile.add(i < 16 ? HOSTILE : "another"_kj).wait(73);
  Honest honest(agent, HONEST);
  for (int i = 0; i < 4; i++) honest.wait(250, 4000);
  hostile.hold(LANES_MOST_BYTES - agent.memory.total() - MIB, "another");
  agent.passFor(1 * kj::SECONDS);
  for (auto& lane : hostile.all) lane->wait(73);
  agent.passFor(5 * kj::SECONDS);
  CHECK(hostile.ended() > 0);
  CHECK(honest.failed == 0);
  CHECK(agent.memory.total() <=
        LANES_MOST_BYTES + rpc::MAX_LANES * MessageBudget::LEAST_LOOK_BYTES);
}

}  // namespace
}  // namespace bothy
