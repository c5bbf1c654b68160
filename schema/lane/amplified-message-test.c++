#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "lane/lane-greeting.h"
#include "lane/lane.h"
#include "lane/testing/amplifiers.h"
#include "schema/agent.capnp.h"
#include "schema/limits.capnp.h"
#include "wire/message-budget.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

using capnp::rpc::Message;

// S02: an error within 10 ms.
constexpr kj::Duration MOST_TIME = 10 * kj::MILLISECONDS;
// Beside what is read of the message itself.
constexpr size_t MOST_BYTES = 1024 * 1024;
// Where a message is kept longer, and each step takes longer.
constexpr bool IS_SANITIZED = __has_feature(address_sanitizer);

struct Place {
  kj::StringPtr name;
  capnp::AnyPointer::Builder (*fill)(capnp::MallocMessageBuilder&);
};

// The pointer number `index` of a struct.
template <typename Builder>
capnp::AnyPointer::Builder pointerOf(Builder&& builder, kj::uint index) {
  return capnp::toAny(builder).getPointerSection()[index];
}

capnp::AnyPointer::Builder inPayload(capnp::rpc::Payload::Builder payload) {
  auto content = payload.getContent().initAsAnyStruct(0, 1);
  return content.getPointerSection()[0];
}

capnp::rpc::Call::Builder call(capnp::MallocMessageBuilder& message) {
  auto call = message.initRoot<Message>().initCall();
  call.setQuestionId(1);
  call.initTarget().initPromisedAnswer().setQuestionId(0);
  call.setInterfaceId(capnp::typeId<rpc::AgentControl>());
  call.getSendResultsTo().setCaller();
  call.initParams();
  return call;
}

capnp::rpc::Return::Builder answer(capnp::MallocMessageBuilder& message) {
  auto answer = message.initRoot<Message>().initReturn();
  answer.setAnswerId(1);
  return answer;
}

using Out = capnp::MallocMessageBuilder;
// To an agent.
const Place OF_CALLS[] = {
    {"a parameter", [](Out& m) { return inPayload(call(m).getParams()); }},
    {"the parameters", [](Out& m) { return pointerOf(call(m).getParams(), 0); }},
    {"the capabilities of a call", [](Out& m) { return pointerOf(call(m).getParams(), 1); }},
    {"the payload of a call", [](Out& m) { return pointerOf(call(m), 1); }},
    {"the target", [](Out& m) { return pointerOf(call(m), 0); }},
    {"a way through an answer",
     [](Out& m) { return pointerOf(call(m).getTarget().getPromisedAnswer(), 0); }},
    {"what is not implemented",
     [](Out& m) {
       m.initRoot<Message>().initUnimplemented();
       return pointerOf(m.getRoot<Message>(), 0);
     }},
    {"a call",
     [](Out& m) {
       call(m);
       return pointerOf(m.getRoot<Message>(), 0);
     }},
};
// To a client.
const Place OF_ANSWERS[] = {
    {"a result", [](Out& m) { return inPayload(answer(m).initResults()); }},
    {"the results", [](Out& m) { return pointerOf(answer(m).initResults(), 0); }},
    {"the capabilities of an answer", [](Out& m) { return pointerOf(answer(m).initResults(), 1); }},
    {"the words of an exception", [](Out& m) { return pointerOf(answer(m).initException(), 0); }},
    {"the trace of an exception", [](Out& m) { return pointerOf(answer(m).initException(), 1); }},
    {"the trace of an abort",
     [](Out& m) { return pointerOf(m.initRoot<Message>().initAbort(), 1); }},
    {"the trace of a promise that broke",
     [](Out& m) { return pointerOf(m.initRoot<Message>().initResolve().initException(), 1); }},
    {"what is not implemented",
     [](Out& m) {
       m.initRoot<Message>().initUnimplemented();
       return pointerOf(m.getRoot<Message>(), 0);
     }},
    {"an answer",
     [](Out& m) {
       answer(m);
       return pointerOf(m.getRoot<Message>(), 0);
     }},
};

// Reads it as whatever it may be: a list of structs, one of texts, a text, and as deep as it goes.
void readAll(capnp::AnyPointer::Reader place) {
  size_t read = 0;
  kj::Maybe<kj::Exception> first;
  auto attempt = [&](kj::Function<void()> reading) {
    KJ_IF_MAYBE (e, kj::runCatchingExceptions(kj::mv(reading))) {
      if (first == nullptr) first = kj::mv(*e);
    }
  };
  attempt([&]() {
    for (auto next = place; !next.isNull(); ++read) {
      next = next.getAs<capnp::AnyStruct>().getPointerSection()[0];
    }
  });
  const bool isStruct = first == nullptr;
  attempt([&]() {
    for (auto element : place.getAs<capnp::List<rpc::LaneInfo>>()) {
      read += element.getSession().size();
    }
  });
  attempt([&]() {
    for (auto text : place.getAs<capnp::List<capnp::Text>>()) read += text.size();
  });
  attempt([&]() { read += place.getAs<capnp::Text>().size(); });
  if (isStruct) return;
  KJ_IF_MAYBE (e, first) kj::throwFatalException(kj::mv(*e));
}

void readContent(capnp::AnyPointer::Reader content) {
  auto pointers = content.getAs<capnp::AnyStruct>().getPointerSection();
  if (pointers.size() > 0) readAll(pointers[0]);
}

class Reader final: public capnp::Capability::Server {
public:
  explicit Reader(bool& isRead) : isRead(isRead) {}

  DispatchCallResult dispatchCall(
      uint64_t, uint16_t,
      capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> context) override {
    readContent(context.getParams());
    isRead = true;
    return {kj::READY_NOW, false, true};
  }

private:
  bool& isRead;
};

kj::TimePoint cpuClock() {
  struct timespec now;
  KJ_SYSCALL(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
  return kj::origin<kj::TimePoint>() + now.tv_sec * kj::SECONDS + now.tv_nsec * kj::NANOSECONDS;
}

// The most memory that was resident since the last forgetPeak(), in bytes.
size_t peakBytes() {
  kj::AutoCloseFd status(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  auto text = kj::FdInputStream(status.get()).readAllText();
  const char* line = strstr(text.cStr(), "VmHWM:");
  KJ_REQUIRE(line != nullptr);
  return strtoull(line + strlen("VmHWM:"), nullptr, 10) * 1024;
}
void forgetPeak() {
  malloc_trim(0);
  kj::AutoCloseFd file(open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC));
  kj::FdOutputStream(file.get()).write("5", 1);
}

// The connection of a peer that is not trusted: what it says is written here, and what is said to it is thrown away.
class Attacker final {
public:
  explicit Attacker(kj::Own<kj::AsyncIoStream> streamParam)
      : stream(kj::mv(streamParam)), reading(read().eagerlyEvaluate(nullptr)) {}

  kj::Promise<void> say(kj::ArrayPtr<const kj::byte> bytes) {
    return stream->write(bytes.begin(), bytes.size());
  }
  template <typename Root, typename Fill>
  void say(kj::WaitScope& scope, Fill&& fill) {
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    fill(message->initRoot<Root>());
    writeGreeting(*stream, kj::mv(message)).wait(scope);
  }
  size_t received = 0;

private:
  kj::Own<kj::AsyncIoStream> stream;
  kj::Promise<void> reading;

  kj::Promise<void> read() {
    kj::byte buffer[4096];
    for (;;) {
      const auto size = co_await stream->tryRead(buffer, 1, sizeof(buffer));
      if (size == 0) co_return;
      received += size;
    }
  }
};

// What one process does for several peers, in virtual time.
struct World {
  static constexpr GuardRules RULES = {GuardRules::Peer::ASKS, rpc::MAX_MESSAGE_WORDS,
                                       4 * 1024 * 1024, 1024, 4096};
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  const kj::MonotonicClock& clock = kj::systemPreciseMonotonicClock();
  MessageBudget budget{
      MessageBudget::Limits{.maxBytes = 32 * 1024 * 1024, .shareBytes = 256 * 1024}};
  bool isRead = false, isOthersRead = false;

  kj::Own<RpcConnection> serve(kj::Own<kj::AsyncIoStream> stream, bool& isRead) {
    return kj::heap<RpcConnection>(kj::mv(stream), kj::heap<Reader>(isRead), timer, RULES, budget,
                                   clock);
  }
  void settle() {
    constexpr int ROUNDS = 8;  // more than the pauses that one message costs its connection
    for (int i = 0; i < ROUNDS; i++) {
      scope.poll();
      timer.advanceTo(timer.now() + MessageGuard::MOST_QUEUE_PAUSE);
    }
  }
  void requirePing(capnp::Capability::Client agent) {
    auto pinging = agent.castAs<rpc::AgentControl>().pingRequest().send();
    settle();
    REQUIRE(pinging.poll(scope));
    pinging.wait(scope);
  }
  // Checks what it costs to hear `bytes`.
  void hear(Attacker& attacker, kj::ArrayPtr<const kj::byte> bytes) {
    forgetPeak();
    const auto before = peakBytes();
    const auto start = cpuClock();
    // Nobody reads what comes behind an end.
    auto saying = attacker.say(bytes).catch_([](kj::Exception&&) {}).eagerlyEvaluate(nullptr);
    settle();
    const auto took = cpuClock() - start;
    const auto grown = peakBytes() - before;
    if (IS_SANITIZED) return;
    CHECK(took / kj::MICROSECONDS <= MOST_TIME / kj::MICROSECONDS);
    CHECK(grown <= 2 * bytes.size() + MOST_BYTES);
  }
};

// An agent that serves two clients.
struct AgentWorld: World {
  kj::TwoWayPipe pipe = kj::newTwoWayPipe(), otherPipe = kj::newTwoWayPipe();
  kj::Own<RpcConnection> victim = serve(kj::mv(pipe.ends[0]), isRead);
  kj::Own<RpcConnection> other = serve(kj::mv(otherPipe.ends[0]), isOthersRead);
  RpcConnection otherClient{kj::mv(otherPipe.ends[1])};
  Attacker attacker{kj::mv(pipe.ends[1])};

  AgentWorld() {
    attacker.say<Message>(scope, [](auto message) { message.initBootstrap().setQuestionId(0); });
    settle();
  }
  bool hasEnded() { return victim->onDisconnect().poll(scope); }
  void requireOther() { requirePing(otherClient.bootstrap()); }
};

// A client of two agents, that waits for an answer of each.
struct ClientWorld: World {
  kj::TwoWayPipe pipe = kj::newTwoWayPipe(), otherPipe = kj::newTwoWayPipe();
  Lane victim{kj::mv(pipe.ends[0]), timer, Lane::Use::CLIENT, clock};
  Lane otherLane{kj::mv(otherPipe.ends[0]), timer, Lane::Use::CLIENT, clock};
  Attacker attacker{kj::mv(pipe.ends[1])};
  kj::Maybe<RpcConnection> other;
  kj::Promise<void> asking = victim.bootstrap()
                                 .typelessRequest(0, 0, nullptr, {})
                                 .send()
                                 .then([this](auto&& answer) {
                                   readContent(answer);
                                   isRead = true;
                                 })
                                 .catch_([](kj::Exception&&) {})
                                 .eagerlyEvaluate(nullptr);

  ClientWorld() {
    attacker.say<rpc::Welcome>(scope, [](auto welcome) { welcome.setGeneration(rpc::GENERATION); });
    auto welcome = kj::heap<capnp::MallocMessageBuilder>();
    welcome->initRoot<rpc::Welcome>().setGeneration(rpc::GENERATION);
    writeGreeting(*otherPipe.ends[1], kj::mv(welcome)).wait(scope);
    other.emplace(kj::mv(otherPipe.ends[1]), kj::heap<Reader>(isOthersRead));
    settle();
  }
  void requireOther() { requirePing(otherLane.bootstrap()); }
};

TEST_CASE(
    "S02 what means more than it holds costs an agent nothing, and its other clients either") {
  for (auto& place : OF_CALLS) {
    for (auto& amplifier : AMPLIFIERS) {
      INFO(amplifier.name.cStr() << " as " << place.name.cStr());
      AgentWorld w;
      auto message = draft(place.fill);
      amplifier.apply(message);
      const auto before = w.attacker.received;
      w.hear(w.attacker, framed(message));
      // Answered, echoed or ended.
      CHECK(w.attacker.received > before);
      w.requireOther();
    }
  }
}

TEST_CASE("S02 what means more than it holds costs a client nothing, and its other lanes either") {
  for (auto& place : OF_ANSWERS) {
    for (auto& amplifier : AMPLIFIERS) {
      INFO(amplifier.name.cStr() << " as " << place.name.cStr());
      ClientWorld w;
      auto message = draft(place.fill);
      amplifier.apply(message);
      w.hear(w.attacker, framed(message));
      w.requireOther();
    }
  }
}

TEST_CASE("S02 a message is read to a depth of 32 and no deeper") {
  // Above the content are the message, the call or answer, and its payload.
  constexpr kj::uint ABOVE = 3;
  auto fill = [](capnp::rpc::Payload::Builder payload, kj::uint levels) {
    auto at = payload.getContent();
    for (auto i : kj::zeroTo(levels - ABOVE)) {
      (void)i;
      at = at.initAsAnyStruct(0, 1).getPointerSection()[0];
    }
  };
  auto isHeard = [&](kj::uint levels) {
    AgentWorld w;
    capnp::MallocMessageBuilder message;
    fill(call(message).getParams(), levels);
    w.hear(w.attacker, capnp::messageToFlatArray(message).asBytes());
    w.requireOther();
    return w.isRead;
  };
  CHECK(isHeard(rpc::MAX_NESTING));
  CHECK_FALSE(isHeard(rpc::MAX_NESTING + 1));
  auto isAnswered = [&](kj::uint levels) {
    ClientWorld w;
    capnp::MallocMessageBuilder message;
    fill(answer(message).initResults(), levels);
    w.hear(w.attacker, capnp::messageToFlatArray(message).asBytes());
    CHECK(w.asking.poll(w.scope));
    w.requireOther();
    return w.isRead;
  };
  CHECK(isAnswered(rpc::MAX_NESTING));
  CHECK_FALSE(isAnswered(rpc::MAX_NESTING + 1));
}

TEST_CASE("S02 a message of impossible segments ends the connection and no other") {
  constexpr uint32_t MOST = 0xffffffff;
  auto many = kj::heapArray<uint32_t>(512);
  for (auto& size : many) size = MOST;
  many[0] = 510;  // less one
  auto headers =
      kj::arr(kj::arr(MOST, MOST), kj::arr(0u, MOST), kj::arr(1u, MOST, 1u, 0u), kj::mv(many));
  for (auto& header : headers) {
    {
      AgentWorld w;
      w.hear(w.attacker, header.asBytes());
      CHECK(w.hasEnded());
      w.requireOther();
    }
    ClientWorld w;
    w.hear(w.attacker, header.asBytes());
    CHECK(w.victim.hasEnded());
    w.requireOther();
  }
}

}  // namespace
}  // namespace bothy
