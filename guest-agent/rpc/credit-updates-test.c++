#include "rpc/credit-updates.h"

#include <capnp/serialize-async.h>
#include <kj/async-io.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

using capnp::rpc::Message;

constexpr GuardRules RULES = {GuardRules::Peer::ASKS, 1024, 1024 * 1024, 16, 16};

// No message takes long here.
class StillClock final: public kj::MonotonicClock {
  kj::TimePoint now() const override { return kj::origin<kj::TimePoint>(); }
};

struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::TwoWayPipe pipe = kj::newTwoWayPipe();
  capnp::AsyncIoMessageStream near{*pipe.ends[0]}, far{*pipe.ends[1]};
  StillClock clock;
  MessageGuard guard{near, timer, RULES, nullptr, clock};
  CreditUpdates updates{timer};
  int sent = 0;
  CreditUpdates::Lane lane{updates, guard, [this]() { ++sent; }};

  template <typename Fill>
  void carry(capnp::MessageStream& from, capnp::MessageStream& to, Fill&& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Message>());
    auto written = from.writeMessage(nullptr, message.getSegmentsForOutput());
    auto read = to.readMessage(capnp::ReaderOptions());
    // A guard reads in turns.
    while (!read.poll(scope)) timer.advanceTo(timer.now());
    read.wait(scope);
    written.wait(scope);
  }
  void hear(uint32_t question) {
    carry(far, guard, [&](auto message) {
      auto call = message.initCall();
      call.setQuestionId(question);
      call.getSendResultsTo().setCaller();
    });
  }
  void answer(uint32_t question) {
    carry(guard, far, [&](auto message) {
      auto answer = message.initReturn();
      answer.setAnswerId(question);
      answer.initResults();
    });
  }
  void hearThatItWasRead(uint32_t question) {
    carry(far, guard, [&](auto message) {
      auto finish = message.initFinish();
      finish.setQuestionId(question);
      finish.setReleaseResultCaps(false);
    });
  }
  // Updates that leave within it.
  int during(kj::Duration time) {
    const int before = sent;
    while (time > 0 * kj::SECONDS) {
      const auto step = kj::min(time, CreditUpdates::FIRST_PAUSE);
      scope.poll();
      timer.advanceTo(timer.now() + step);
      scope.poll();
      time -= step;
    }
    return sent - before;
  }
};

constexpr auto EARLY = CreditUpdates::FIRST_PAUSE * int64_t{CreditUpdates::FIRST_UPDATES};

TEST_CASE("P41 a lane on which nothing comes is looked at often, and then at longer times") {
  Fixture f;
  CHECK(f.during(CreditUpdates::FIRST_PAUSE) == 1);
  CHECK(f.during(EARLY - CreditUpdates::FIRST_PAUSE) == CreditUpdates::FIRST_UPDATES - 1);
  CHECK(f.during(CreditUpdates::LONGEST_PAUSE - CreditUpdates::FIRST_PAUSE) == 0);
  CHECK(f.during(2 * CreditUpdates::FIRST_PAUSE) == 1);
}

TEST_CASE("P41 a lane on which something waits to be written is looked at often for as long") {
  Fixture f;
  // A pipe takes nothing that the other end does not read.
  capnp::MallocMessageBuilder message;
  message.initRoot<Message>().initReturn().initResults();
  auto writing = f.guard.writeMessage(nullptr, message.getSegmentsForOutput());
  f.during(EARLY + 1 * kj::SECONDS);
  constexpr int LOOKS = 20;
  const int sent = f.during(LOOKS * CreditUpdates::BLOCKED_PAUSE);
  CHECK(sent >= LOOKS - 1);
  CHECK(sent <= LOOKS + 1);
  f.far.readMessage(capnp::ReaderOptions()).wait(f.scope);
  writing.wait(f.scope);
  f.during(CreditUpdates::BLOCKED_PAUSE);
  CHECK(f.during(CreditUpdates::LONGEST_PAUSE - CreditUpdates::BLOCKED_PAUSE) == 0);
}

TEST_CASE("P41 what is written begins the looks anew") {
  Fixture f;
  f.hear(1);
  f.hear(2);
  f.during(EARLY + 1 * kj::SECONDS);
  const auto before = f.sent;
  f.answer(1);
  CHECK(f.during(CreditUpdates::FIRST_PAUSE) == 1);
  f.answer(2);
  CHECK(f.during(EARLY) == CreditUpdates::FIRST_UPDATES);
  CHECK(f.during(EARLY) == 0);
  CHECK(f.sent == before + 1 + int{CreditUpdates::FIRST_UPDATES});
}

TEST_CASE("P41 a lane on which all has been read is left alone, until something is written") {
  Fixture f;
  f.hear(1);
  f.answer(1);
  f.hearThatItWasRead(1);
  f.during(CreditUpdates::FIRST_PAUSE);
  CHECK(f.during(2 * CreditUpdates::LONGEST_PAUSE) == 0);
  CHECK(f.timer.nextEvent() == nullptr);
  f.hear(2);
  CHECK(f.timer.nextEvent() == nullptr);
  f.answer(2);
  CHECK(f.during(CreditUpdates::FIRST_PAUSE) == 1);
}

TEST_CASE(
    "P41 each lane is looked at when it is due, also one that comes while another waits for long") {
  Fixture f;
  f.during(EARLY + 1 * kj::SECONDS);
  auto other = kj::newTwoWayPipe();
  capnp::AsyncIoMessageStream otherStream(*other.ends[0]);
  MessageGuard otherGuard(otherStream, f.timer, RULES, nullptr, f.clock);
  int sentOnOther = 0;
  {
    CreditUpdates::Lane late(f.updates, otherGuard, [&]() { ++sentOnOther; });
    CHECK(f.during(EARLY) == 0);
    CHECK(sentOnOther == CreditUpdates::FIRST_UPDATES);
  }
  f.during(CreditUpdates::LONGEST_PAUSE);
  CHECK(f.sent == CreditUpdates::FIRST_UPDATES + 1);
  CHECK(sentOnOther == CreditUpdates::FIRST_UPDATES);
}

TEST_CASE("P41 a lane on which something comes is not looked at") {
  Fixture f;
  for (uint32_t i = 0; i < 20; ++i) {
    f.hear(i % 8);
    f.answer(i % 8);
    f.carry(f.far, f.guard, [&](auto message) { message.initFinish().setQuestionId(i % 8); });
    CHECK(f.during(CreditUpdates::FIRST_PAUSE) == 0);
  }
}

}  // namespace
}  // namespace bothy
