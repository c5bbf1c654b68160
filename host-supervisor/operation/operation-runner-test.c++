#include "operation/operation-runner.h"

#include <string.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "support/log-record.h"

namespace bothy {
namespace {

// What happened, in order.
using Log = kj::Vector<kj::String>;

kj::String textOf(const Log& log) {
  return kj::strArray(log, " ");
}

struct TestJournal final: public OperationRunner::Journal {
  explicit TestJournal(Log& log) : log(log) {}
  Log& log;
  uint32_t refusals = 0;
  kj::StringPtr refusedStep;
  bool refusesForGood = false;
  kj::Function<bool()> isUnderWay = []() { return false; };
  kj::Own<Places> holds = kj::refcounted<Places>(1);

  kj::Promise<Operation::Hold> enter(kj::StringPtr step) override {
    if (refusals > 0 || refusedStep == step) {
      if (refusals > 0) refusals--;
      return KJ_EXCEPTION(FAILED, "the database is locked");
    }
    log.add(kj::str("enter:", step));
    return holds->take();
  }
  bool isLasting(const kj::Exception&) const override { return refusesForGood; }
  void unsettled(const kj::Exception& fault) override {
    CHECK_FALSE(isUnderWay());
    log.add(kj::str("unsettled:", fault.getDescription()));
  }
};

constexpr Step STEPS[] = {
    {"cut"_kj, Step::OnFailure::END, Step::Storing::FIRST, "the wood could not be cut"_kj},
    {"glue"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN, "it could not be glued"_kj},
};

// The same, each stored before it begins.
constexpr Step STORED_STEPS[] = {
    STEPS[0],
    {"glue"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::FIRST, "it could not be glued"_kj},
};

class TestOperation final: public Operation {
public:
  TestOperation(Log& log, TestJournal& journal, kj::StringPtr name = "chair")
      : log(log), journal(journal), name(name) {}

  // The next tries of `failing` that fail.
  uint32_t failures = 0;
  size_t failing = 0;
  // A step that never ends.
  kj::Maybe<size_t> hanging;
  uint32_t faults = 0;
  kj::Maybe<kj::Duration> most;
  kj::Maybe<size_t> resumesAt;
  kj::Maybe<kj::Own<Operation>> next;
  kj::ArrayPtr<const Step> table = STEPS;

  kj::StringPtr kind() const override { return name; }
  kj::ArrayPtr<const Step> steps() const override { return table; }
  kj::Maybe<kj::Duration> limit() const override { return most; }
  kj::Maybe<kj::Duration> limitOf(size_t) const override { return 10 * kj::SECONDS; }
  kj::Promise<void> run(size_t step) override {
    log.add(kj::str(name, ':', STEPS[step].name));
    if (step == failing && failures > 0) {
      failures--;
      return KJ_EXCEPTION(FAILED, "it broke");
    }
    KJ_IF_MAYBE (h, hanging) {
      if (*h == step) return kj::Promise<void>(kj::NEVER_DONE);
    }
    return kj::READY_NOW;
  }
  kj::Promise<size_t> resume(size_t step) override {
    log.add(kj::str("resume:", STEPS[step].name));
    return resumesAt.orDefault(step);
  }
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override {
    KJ_IF_MAYBE (e, failure) {
      log.add(kj::str("failed:", e->getDescription()));
    } else {
      log.add(kj::str("done:", name));
    }
    if (faults > 0) {
      faults--;
      return KJ_EXCEPTION(FAILED, "a bug");
    }
    return journal.holds->take().then(
        [this](Hold hold) { return Settled{kj::mv(hold), kj::mv(next)}; });
  }

private:
  Log& log;
  TestJournal& journal;
  kj::StringPtr name;
};

struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  Log log;
  TestJournal journal{log};
  kj::Own<OperationRunner> runner = kj::heap<OperationRunner>(timer, journal, "the workshop");

  kj::Own<TestOperation> operation(kj::StringPtr name = "chair") {
    return kj::refcounted<TestOperation>(log, journal, name);
  }
  void advance(kj::Duration duration) {
    scope.poll();
    timer.advanceTo(timer.now() + duration);
    scope.poll();
  }
};

TEST_CASE("an operation runs its steps in order, each stored before it begins") {
  Fixture f;
  auto operation = f.operation();
  f.runner->begin(kj::addRef(*operation));
  CHECK(f.runner->current() != nullptr);
  CHECK(operation->onEnd().wait(f.scope).supersededBy == nullptr);
  CHECK(textOf(f.log) == "enter:cut chair:cut enter:glue chair:glue done:chair");
  CHECK(f.runner->current() == nullptr);
  // Also who asks after the end.
  CHECK(operation->onEnd().wait(f.scope).supersededBy == nullptr);
}

TEST_CASE("a step that fails ends its operation, or is tried again with growing pauses") {
  Fixture f;
  auto operation = f.operation();
  LogRecord record;
  SECTION("it ends it") {
    operation->failures = 1;
    f.runner->begin(kj::addRef(*operation));
    operation->onEnd().wait(f.scope);
    CHECK(textOf(f.log) == "enter:cut chair:cut failed:it broke");
    REQUIRE(record.lines.size() == 1);
    CHECK(record.lines[0].startsWith("warning an operation failed"));
    CHECK(strstr(record.lines[0].cStr(), "it broke") != nullptr);
  }
  SECTION("it is tried again") {
    operation->failing = 1;
    operation->failures = 3;
    f.runner->begin(kj::addRef(*operation));
    auto end = operation->onEnd();
    for (auto pause : {1, 2, 4}) {
      CHECK_FALSE(end.poll(f.scope));
      CHECK(operation->lastFailure() == "it broke");
      f.advance(pause * kj::SECONDS - 1 * kj::MILLISECONDS);
      CHECK_FALSE(end.poll(f.scope));
      f.advance(1 * kj::MILLISECONDS);
    }
    end.wait(f.scope);
    CHECK(operation->lastFailure() == "");
    REQUIRE(record.lines.size() == 3);
    for (auto& line : record.lines) {
      CHECK(line.startsWith("error a step of an operation failed; trying again"));
      CHECK(strstr(line.cStr(), "it broke") != nullptr);
    }
  }
}

TEST_CASE("a step has so long for each try, and what it says then") {
  Fixture f;
  auto operation = f.operation();
  SECTION("it ends it") {
    operation->hanging = size_t(0);
    f.runner->begin(kj::addRef(*operation));
    f.advance(10 * kj::SECONDS);
    operation->onEnd().wait(f.scope);
    CHECK(textOf(f.log) == "enter:cut chair:cut failed:the wood could not be cut within 10 s");
  }
  SECTION("it is tried again") {
    operation->hanging = size_t(1);
    f.runner->begin(kj::addRef(*operation));
    auto end = operation->onEnd();
    f.advance(10 * kj::SECONDS);
    CHECK(operation->lastFailure() == "it could not be glued within 10 s");
    operation->hanging = nullptr;
    f.advance(1 * kj::SECONDS);
    end.wait(f.scope);
  }
}

TEST_CASE("P28 who waits for an operation is told which kind came before its end") {
  Fixture f;
  auto operation = f.operation();
  operation->hanging = size_t(1);
  f.runner->begin(kj::addRef(*operation));
  auto one = operation->onEnd(), two = operation->onEnd();
  CHECK_FALSE(one.poll(f.scope));
  auto later = f.operation("table");
  f.runner->begin(kj::addRef(*later));
  CHECK(KJ_ASSERT_NONNULL(one.wait(f.scope).supersededBy) == "table");
  CHECK(KJ_ASSERT_NONNULL(two.wait(f.scope).supersededBy) == "table");
  CHECK(later->onEnd().wait(f.scope).supersededBy == nullptr);
  // The first is not settled.
  CHECK(textOf(f.log) ==
        "enter:cut chair:cut enter:glue chair:glue enter:cut table:cut enter:glue table:glue "
        "done:table");
}

TEST_CASE("P28 what is held between a step's entry and its beginning is held no longer") {
  Fixture f;
  auto operation = f.operation();
  operation->hanging = size_t(0);
  f.runner->begin(kj::addRef(*operation));
  f.scope.poll();
  CHECK(f.journal.holds->tryTake() != nullptr);
}

TEST_CASE("P29 an operation is resumed at the step that is stored, or where it says itself") {
  Fixture f;
  auto operation = f.operation();
  SECTION("the step that is stored") {
    f.runner->resume(kj::addRef(*operation), "glue");
    operation->onEnd().wait(f.scope);
    CHECK(textOf(f.log) == "resume:glue enter:glue chair:glue done:chair");
  }
  SECTION("where it says") {
    operation->resumesAt = size_t(0);
    f.runner->resume(kj::addRef(*operation), "glue");
    operation->onEnd().wait(f.scope);
    CHECK(textOf(f.log) == "resume:glue enter:cut chair:cut enter:glue chair:glue done:chair");
  }
  SECTION("a step that there is not") {
    CHECK_THROWS(f.runner->resume(kj::addRef(*operation), "paint"));
    CHECK(f.runner->current() == nullptr);
  }
  SECTION("with a limit") {
    operation->failing = 1;
    operation->failures = 1000;
    f.runner->resume(kj::addRef(*operation), "glue", 90 * kj::SECONDS);
    auto end = operation->onEnd();
    f.advance(89 * kj::SECONDS);
    CHECK_FALSE(end.poll(f.scope));
    f.advance(1 * kj::SECONDS);
    end.wait(f.scope);
    CHECK(f.log.back() == "failed:it did not end by its deadline");
  }
}

TEST_CASE("an operation has failed when it has not ended within its limit") {
  Fixture f;
  auto operation = f.operation();
  operation->most = 30 * kj::SECONDS;
  SECTION("a step that fails again and again") {
    operation->failing = 1;
    operation->failures = 1000;
  }
  SECTION("a step that is never stored") {
    f.journal.refusals = 1000;
  }
  f.runner->begin(kj::addRef(*operation));
  auto end = operation->onEnd();
  f.advance(29 * kj::SECONDS);
  CHECK_FALSE(end.poll(f.scope));
  f.advance(1 * kj::SECONDS);
  end.wait(f.scope);
  CHECK(f.log.back() == "failed:it did not end by its deadline");
}

TEST_CASE("P28 a store that refuses holds up no step that needs it not") {
  Fixture f;
  auto operation = f.operation();
  f.journal.refusedStep = "glue";
  f.runner->begin(kj::addRef(*operation));
  operation->onEnd().wait(f.scope);
  CHECK(textOf(f.log) == "enter:cut chair:cut chair:glue done:chair");
}

TEST_CASE("P12 why a step failed last is known while the next try of it is under way") {
  Fixture f;
  auto operation = f.operation();
  operation->failing = 1;
  operation->failures = 1;
  f.runner->begin(kj::addRef(*operation));
  f.scope.poll();
  operation->hanging = size_t(1);
  f.advance(1 * kj::SECONDS);
  CHECK(operation->lastFailure() == "it broke");
}

TEST_CASE("an operation that is put in the place of another is the one under way") {
  Fixture f;
  auto first = f.operation(), second = f.operation("table");
  second->hanging = size_t(0);
  first->next = kj::Own<Operation>(kj::addRef(*second));
  f.runner->begin(kj::addRef(*first));
  CHECK(first->onEnd().wait(f.scope).supersededBy == nullptr);
  CHECK(&KJ_ASSERT_NONNULL(f.runner->current()) == second.get());
  f.advance(10 * kj::SECONDS);
  second->onEnd().wait(f.scope);
  CHECK(f.log.back() == "failed:the wood could not be cut within 10 s");
}

TEST_CASE("P58 no step begins before it is stored") {
  Fixture f;
  f.journal.refusals = 2;
  auto operation = f.operation();
  f.runner->begin(kj::addRef(*operation));
  f.scope.poll();
  CHECK(textOf(f.log) == "");
  CHECK(operation->lastFailure() == "the database is locked");
  f.advance(1 * kj::SECONDS);
  CHECK(textOf(f.log) == "");
  f.advance(2 * kj::SECONDS);
  operation->onEnd().wait(f.scope);
  CHECK(textOf(f.log) == "enter:cut chair:cut enter:glue chair:glue done:chair");
}

TEST_CASE("P28 a step that can never be stored is not asked for again, and ends its operation") {
  Fixture f;
  auto operation = f.operation();
  f.journal.refusesForGood = true;
  kj::StringPtr refused = "cut";
  SECTION("one that would end it") {}
  SECTION("one that would be tried again") {
    operation->table = STORED_STEPS;
    refused = "glue";
  }
  f.journal.refusedStep = refused;
  f.runner->begin(kj::addRef(*operation));
  operation->onEnd().wait(f.scope);
  CHECK(f.log.back() == "failed:the database is locked");
}

// Counts the lines of the log that promise what the next bothyd does.
class PromiseWatch final: public kj::ExceptionCallback {
public:
  void logMessage(kj::LogSeverity severity, const char* file, int line, int contextDepth,
                  kj::String&& text) override {
    if (strstr(text.cStr(), "next start") != nullptr) promises++;
    if (strstr(text.cStr(), "an operation cannot be settled") != nullptr) unsettled++;
    next.logMessage(severity, file, line, contextDepth, kj::mv(text));
  }
  int promises = 0, unsettled = 0;
};

TEST_CASE("a fault at the end of an operation is a failure of it") {
  PromiseWatch watch;
  Fixture f;
  auto operation = f.operation();
  SECTION("which is settled") {
    operation->faults = 1;
    f.runner->begin(kj::addRef(*operation));
    operation->onEnd().wait(f.scope);
    CHECK(f.log[f.log.size() - 2] == "done:chair");
    CHECK(f.log.back() == "failed:a bug");
  }
  SECTION("which is not: whoever waits hears of it") {
    operation->faults = 2;
    f.journal.isUnderWay = [&f]() { return f.runner->current() != nullptr; };
    f.runner->begin(kj::addRef(*operation));
    CHECK_THROWS(operation->onEnd().wait(f.scope));
    CHECK(f.runner->current() == nullptr);
    CHECK(f.log.back() == "unsettled:a bug");
    // The first says that it has failed.
    CHECK(watch.unsettled == 2);
    CHECK(watch.promises == 0);
  }
}

}  // namespace
}  // namespace bothy
