#include "store/group-commit.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/mutex.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <deque>

namespace bothy {
namespace {

// A database whose disk is as slow, and fails in that way, as a test wants.  It stores how many changes each transaction had.
class SlowDatabase final: public StoreBackend {
public:
  struct State {
    // Transactions wait until they may go on.
    bool isStuck = false;
    // What the next ones come to.
    enum class End { GOOD, THROWS, DOUBT_IN, DOUBT_OUT, FENCED };
    std::deque<End> ends;
    uint32_t readsToFail = 0;
    kj::Vector<size_t> groups;
    kj::Vector<uint64_t> marks;
    bool isIn = false;
  };
  explicit SlowDatabase(kj::MutexGuarded<State>& state) : state(state) {}

  StoredState begin() override { return {}; }
  kj::Maybe<RequestRecord> request(kj::StringPtr) override { return nullptr; }
  kj::Maybe<kj::Array<const kj::byte>> configuration(kj::StringPtr) override { return nullptr; }
  EventPage events(uint64_t, size_t) override { return {}; }

  GroupOutcome commit(uint64_t mark, kj::ArrayPtr<const Change> changes) override {
    auto locked = state.lockExclusive();
    locked.wait([](const State& s) { return !s.isStuck; });
    auto end = State::End::GOOD;
    if (!locked->ends.empty()) {
      end = locked->ends.front();
      locked->ends.pop_front();
    }
    if (end == State::End::THROWS) KJ_FAIL_REQUIRE("the disk is full");
    if (end == State::End::FENCED) kj::throwFatalException(fencedBy(2, 1));
    locked->isIn = end != State::End::DOUBT_OUT;
    locked->marks.add(mark);
    if (locked->isIn) locked->groups.add(changes.size());
    GroupOutcome outcome;
    outcome.refusals = kj::heapArray<kj::Maybe<kj::Exception>>(changes.size());
    outcome.lastEvent = mark;
    if (end == State::End::DOUBT_IN || end == State::End::DOUBT_OUT) {
      outcome.doubt = KJ_EXCEPTION(FAILED, "the disk failed at the end");
    }
    return outcome;
  }

  bool holds(uint64_t mark) override {
    auto locked = state.lockExclusive();
    KJ_REQUIRE(locked->marks.back() == mark, "only the last one is asked for");
    if (locked->readsToFail > 0) {
      locked->readsToFail--;
      KJ_FAIL_REQUIRE("the disk cannot be read");
    }
    return locked->isIn;
  }

private:
  kj::MutexGuarded<State>& state;
};

struct Fixture {
  using End = SlowDatabase::State::End;
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::MutexGuarded<SlowDatabase::State> state;
  kj::Own<Store> store = newGroupCommitStore(
      io.provider->getTimer(),
      newThreadedBackend(io.provider->getTimer(), kj::heap<SlowDatabase>(state)));

  auto commit() { return store->commit(Change()); }
  bool isRefused(kj::Promise<Committed> promise) {
    return promise.then([](Committed) { return false; }, [](kj::Exception&&) { return true; })
        .wait(scope);
  }
};

TEST_CASE(
    "P59 a slow disk holds up changes, and not the loop; those that wait are one transaction") {
  Fixture f;
  f.state.lockExclusive()->isStuck = true;
  auto first = f.commit();
  for (int i = 0; i < 10; i++) {
    CHECK_FALSE(first.poll(f.scope));
    f.io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(f.scope);
  }
  kj::Vector<kj::Promise<Committed>> others;
  for (int i = 0; i < 32; i++) others.add(f.commit());
  CHECK_FALSE(others[0].poll(f.scope));
  f.state.lockExclusive()->isStuck = false;
  first.wait(f.scope);
  for (auto& other : others) CHECK(other.wait(f.scope).lastEvent == 2);
  auto& groups = f.state.lockExclusive()->groups;
  REQUIRE(groups.size() == 2);
  CHECK(groups[1] == 32);
}

TEST_CASE("a transaction has so many changes at most") {
  Fixture f;
  kj::Vector<kj::Promise<Committed>> all;
  for (size_t i = 0; i < GROUP_LIMIT_CHANGES + 1; i++) all.add(f.commit());
  for (auto& one : all) one.wait(f.scope);
  auto& groups = f.state.lockExclusive()->groups;
  REQUIRE(groups.size() == 2);
  CHECK(groups[0] == GROUP_LIMIT_CHANGES);
}

TEST_CASE("a transaction that fails fails for all that were in it, and the next is another") {
  Fixture f;
  f.state.lockExclusive()->ends = {Fixture::End::THROWS};
  auto one = f.commit(), two = f.commit();
  CHECK(f.isRefused(kj::mv(one)));
  CHECK(f.isRefused(kj::mv(two)));
  CHECK_FALSE(f.isRefused(f.commit()));
}

TEST_CASE("P28 whether a change is in after a failure at the very end is read, until it is known") {
  Fixture f;
  uint32_t reads = GENERATE(0, 2);
  f.state.lockExclusive()->readsToFail = reads;
  SECTION("it is") {
    f.state.lockExclusive()->ends = {Fixture::End::DOUBT_IN};
    auto one = f.commit();
    CHECK_FALSE(f.isRefused(kj::mv(one)));
    CHECK(f.state.lockExclusive()->groups.size() == 1);
  }
  SECTION("it is not") {
    f.state.lockExclusive()->ends = {Fixture::End::DOUBT_OUT};
    CHECK(f.isRefused(f.commit()));
    CHECK_FALSE(f.isRefused(f.commit()));
    CHECK(f.state.lockExclusive()->groups.size() == 1);
  }
  SECTION("those that come meanwhile wait") {
    f.state.lockExclusive()->ends = {Fixture::End::DOUBT_IN};
    auto one = f.commit();
    CHECK_FALSE(one.poll(f.scope));
    auto two = f.commit();
    CHECK(one.wait(f.scope).lastEvent == 1);
    CHECK(two.wait(f.scope).lastEvent == 2);
  }
}

TEST_CASE("a fence is told to whoever waits for it, and to each change from then on") {
  Fixture f;
  auto fence = f.store->untilFenced().then([]() { return false; }, isFenced);
  f.state.lockExclusive()->ends = {Fixture::End::FENCED, Fixture::End::FENCED};
  CHECK(f.isRefused(f.commit()));
  CHECK(fence.wait(f.scope));
  CHECK(f.isRefused(f.commit()));
}

TEST_CASE("a store that is closed does not wait for changes that have not begun") {
  Fixture f;
  f.state.lockExclusive()->isStuck = true;
  auto one = f.commit();
  CHECK_FALSE(one.poll(f.scope));
  auto two = f.commit();
  f.state.lockExclusive()->isStuck = false;
  f.store = nullptr;
  CHECK(f.state.lockExclusive()->groups.size() <= 1);
  CHECK(f.isRefused(kj::mv(two)));
}

}  // namespace
}  // namespace bothy
