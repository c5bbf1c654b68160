// How many watches of events a client may hold.

#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"
#include "support/log-record.h"

namespace bothy {
namespace {

// Counts what it is told.
class CountingSink final: public rpc::EventSink::Server {
public:
  explicit CountingSink(uint64_t& told) : told(told) {}

private:
  uint64_t& told;

  kj::Promise<void> event(EventContext) override {
    ++told;
    return kj::READY_NOW;
  }
};

struct Watcher: public Fixture {
  uint64_t told = 0;  // by all watches together
  kj::Vector<rpc::Handle::Client> held;

  auto watch(rpc::Supervisor::Client supervisor) {
    auto request = supervisor.watchRequest();
    request.setAfter(events->newest());
    request.setSink(kj::heap<CountingSink>(told));
    return request.send();
  }
  void hold(kj::uint watches) {
    while (held.size() < watches) held.add(watch(supervisor()).wait(scope).getHandle());
  }
  // Why one more is refused, if it is.
  kj::Maybe<kj::Exception> refusal() {
    return watch(supervisor())
        .then([](auto&&) -> kj::Maybe<kj::Exception> { return nullptr; },
              [](kj::Exception&& e) -> kj::Maybe<kj::Exception> { return kj::mv(e); })
        .wait(scope);
  }
};

TEST_CASE("S01 a client holds only so many watches of events, and is told how many") {
  Watcher w;
  w.hold(MAX_HELD_WATCHES);
  auto refusal = w.refusal();
  REQUIRE(refusal != nullptr);
  auto& why = KJ_ASSERT_NONNULL(refusal);
  CHECK(why.getType() == kj::Exception::Type::OVERLOADED);
  INFO(why.getDescription().cStr());
  CHECK(strstr(why.getDescription().cStr(), "drop one") != nullptr);
  CHECK(strstr(why.getDescription().cStr(), kj::str(MAX_HELD_WATCHES, " watches").cStr()) !=
        nullptr);
}

TEST_CASE("S01 a client that was refused a watch is served as before, and so are others") {
  Watcher w;
  w.hold(MAX_HELD_WATCHES);
  REQUIRE(w.refusal() != nullptr);
  rpc::Supervisor::Client other = kj::heap<SupervisorFacet>(w.rooms(), ClientIdentity{2, 0, 0, 0});
  auto others = w.watch(other).wait(w.scope);

  const auto before = w.events->newest();
  CHECK(w.create("demo").wait(w.scope).getOutcome().isCreated());
  w.settle();
  const auto events = w.events->newest() - before;
  CHECK(events > 0);
  CHECK(w.told == events * (MAX_HELD_WATCHES + 1));
}

TEST_CASE("S01 all clients of a user hold only so many watches, and others theirs") {
  constexpr uid_t USER = 4711;
  Watcher w;
  auto open = [&](uint64_t number, uid_t user) -> rpc::Supervisor::Client {
    return kj::heap<SupervisorFacet>(w.rooms(), ClientIdentity{number, 0, user, 0});
  };
  auto isRefused = [&](rpc::Supervisor::Client supervisor) {
    return w.watch(kj::mv(supervisor))
        .then([](auto&&) { return false; },
              [](kj::Exception&& e) { return e.getType() == kj::Exception::Type::OVERLOADED; })
        .wait(w.scope);
  };
  uint64_t number = 10;
  while (w.held.size() < MAX_WATCHES_OF_USER) {
    auto supervisor = open(++number, USER);
    for (kj::uint i = 0; i < MAX_HELD_WATCHES; ++i) {
      w.held.add(w.watch(supervisor).wait(w.scope).getHandle());
    }
  }
  CHECK(isRefused(open(++number, USER)));
  CHECK_FALSE(isRefused(open(++number, USER + 1)));
  w.held.removeLast();
  w.settle();
  CHECK_FALSE(isRefused(open(++number, USER)));
}

TEST_CASE("S01 watches that cannot be told are one line of the log a second") {
  Watcher w;
  w.hold(MAX_HELD_WATCHES);
  LogRecord log;
  auto lines = [&]() {
    size_t count = 0;
    for (auto& line : log.lines) count += strstr(line.cStr(), "events cannot be read") != nullptr;
    return count;
  };
  w.refusing.refusesReads = true;
  w.create("demo").wait(w.scope);
  w.settle();
  CHECK(lines() == 1);
  w.advance(1 * kj::SECONDS);
  w.settle();
  CHECK(lines() == 2);
  w.refusing.refusesReads = false;
  w.advance(1 * kj::SECONDS);
  w.settle();
  CHECK(lines() == 2);
  CHECK(w.told > 0);
}

TEST_CASE("S01 a watch that a client drops makes room for one, and no more") {
  Watcher w;
  w.hold(MAX_HELD_WATCHES);
  w.held.removeLast();
  w.settle();
  w.hold(MAX_HELD_WATCHES);
  CHECK(w.refusal() != nullptr);
}

}  // namespace
}  // namespace bothy
