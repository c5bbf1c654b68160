#pragma once

#include <kj/async-io.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "loop/worker-thread.h"
#include "vm/machine-workers.h"

namespace bothy {

constexpr kj::Duration LIMIT = 60 * kj::SECONDS;
constexpr MachineWorkers::Limits LIMITS{.threads = 2,
                                        .patience = 3 * kj::SECONDS,
                                        .slowCalls = 2,
                                        .wait = 1000 * kj::SECONDS,
                                        .waiting = 200,
                                        .waitingOfMachine = 20};

// What a call hears of its turn.
struct Turn final: public TurnListener {
  void waits(size_t before) override { heard.add(kj::str(before)); }
  void begins() override { heard.add(kj::str("begins")); }
  kj::Vector<kj::String> heard;
};

// Workers under a clock of its own, and calls that last until the test ends them.
struct TestWorkers {
  struct State {
    kj::Vector<kj::String> began;
    kj::Vector<kj::String> mayEnd;
    size_t underWay = 0;
    size_t mostUnderWay = 0;
    bool mayAllEnd = false;

    bool mayItEnd(kj::StringPtr name) const {
      if (mayAllEnd) return true;
      for (auto& candidate : mayEnd) {
        if (candidate == name) return true;
      }
      return false;
    }
  };

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl clock{kj::origin<kj::TimePoint>()};
  kj::MutexGuarded<State> state;
  int hangs = 0;
  WorkerThreads threads{clock};
  MachineWorkers workers;

  explicit TestWorkers(MachineWorkers::Limits limits = LIMITS)
      : workers(clock, threads, "the world", limits) {
    workers.onHang([this]() { hangs++; });
  }
  // Threads that were left behind use the fixture.
  ~TestWorkers() noexcept(false) {
    endAll();
    state.lockExclusive().wait([](const State& s) { return s.underWay == 0; });
  }

  // Lasts until end(name).
  kj::Promise<void> call(kj::StringPtr machine, kj::StringPtr name,
                         kj::Maybe<TurnListener&> listener = nullptr) {
    return workers.run({name, machine, LIMIT, listener}, [this, name = kj::str(name)]() {
      {
        auto s = state.lockExclusive();
        s->began.add(kj::str(name));
        s->mostUnderWay = kj::max(s->mostUnderWay, ++s->underWay);
      }
      state.lockExclusive().wait([&name](const State& s) { return s.mayItEnd(name); });
      --state.lockExclusive()->underWay;
    });
  }
  kj::Promise<int> answer(kj::StringPtr machine, kj::Maybe<TurnListener&> listener = nullptr) {
    return workers.run({"call", machine, LIMIT, listener}, []() { return 7; });
  }

  void end(kj::StringPtr name) { state.lockExclusive()->mayEnd.add(kj::str(name)); }
  void endAll() { state.lockExclusive()->mayAllEnd = true; }
  // Until so many calls have begun since the beginning.
  void awaitBegun(size_t count) {
    scope.poll();
    state.lockExclusive().wait([count](const State& s) { return s.began.size() >= count; });
  }
  kj::String begun() { return kj::strArray(state.lockExclusive()->began, " "); }

  void pass(kj::Duration time) {
    scope.poll();
    clock.advanceTo(clock.now() + time);
    scope.poll();
  }

  template <typename T>
  kj::String failure(kj::Promise<T> promise) {
    return promise
        .then([](auto&&...) { return kj::str("none"); },
              [](kj::Exception&& e) {
                CHECK(e.getType() == kj::Exception::Type::OVERLOADED);
                return kj::str(e.getDescription());
              })
        .wait(scope);
  }
};

}  // namespace bothy
