#include "client/attached-terminal.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "client/terminal-test-world.h"

namespace bothy {
namespace {

// A terminal whose test speaks to its viewer, and says what it likes.
class SpokenTerminal final: public rpc::Terminal::Server {
public:
  explicit SpokenTerminal(kj::Maybe<rpc::TerminalViewer::Client>& viewer) : viewer(viewer) {}
  kj::Promise<void> attach(AttachContext context) override {
    viewer = context.getParams().getOutput();
    return kj::READY_NOW;
  }

private:
  kj::Maybe<rpc::TerminalViewer::Client>& viewer;
};

class SpokenTerminals final: public rpc::Terminals::Server {
public:
  explicit SpokenTerminals(kj::Maybe<rpc::TerminalViewer::Client>& viewer) : viewer(viewer) {}
  kj::Promise<void> get(GetContext context) override {
    context.getResults().setTerminal(kj::heap<SpokenTerminal>(viewer));
    context.getResults().initOutcome().setFound();
    return kj::READY_NOW;
  }

private:
  kj::Maybe<rpc::TerminalViewer::Client>& viewer;
};

struct Spoken {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  TerminalRecorder seen;
  AttachedTerminal terminal{seen};
  kj::Maybe<rpc::TerminalViewer::Client> viewer;
  rpc::Terminals::Client terminals = kj::heap<SpokenTerminals>(viewer);

  Spoken() { attach(); }
  void attach() {
    CHECK(terminal.find(terminals, 7).wait(scope));
    terminal.attach([](auto size) { size.setUnchanged(); }).wait(scope);
  }
  static void say(kj::WaitScope& scope, rpc::TerminalViewer::Client viewer, uint64_t sequence,
                  kj::StringPtr text) {
    auto request = viewer.outputRequest();
    request.setSequence(sequence);
    request.setData(text.asBytes());
    request.send().wait(scope);
  }
  void say(uint64_t sequence, kj::StringPtr text) {
    say(scope, KJ_ASSERT_NONNULL(viewer), sequence, text);
  }
  void sayGap(uint64_t sequence, uint64_t lost) {
    auto request = KJ_ASSERT_NONNULL(viewer).gapRequest();
    request.setSequence(sequence);
    request.setLost(lost);
    request.send().wait(scope);
  }
};

TEST_CASE("P02 what an agent says twice of a terminal is heard once, and told as repeated") {
  Spoken s;
  s.say(100, "abc");
  s.say(101, "bcd");
  CHECK(s.seen.text == "abcd");
  CHECK(s.seen.repeated == 2);
  CHECK(s.seen.next == 104);
}

TEST_CASE("S01 an agent that tells of losses waits for its viewer, as one that sends output does") {
  Spoken s;
  s.seen.isFull = true;
  auto tell = [&](uint64_t sequence) {
    auto request = KJ_ASSERT_NONNULL(s.viewer).gapRequest();
    request.setSequence(sequence);
    request.setLost(1);
    return request.send().ignoreResult().eagerlyEvaluate(nullptr);
  };
  auto first = tell(0), second = tell(1);
  CHECK_FALSE(first.poll(s.scope));
  CHECK_THROWS(second.wait(s.scope));
  CHECK(s.seen.text == "<1>");
}

TEST_CASE("P01 what an agent leaves out of a terminal is told in its place") {
  Spoken s;
  s.say(0, "ab");
  s.sayGap(2, 5);
  s.say(7, "c");
  CHECK(s.seen.text == "ab<5>c");
  s.say(10, "d");  // without a word
  CHECK(s.seen.text == "ab<5>c<2>d");
  s.sayGap(9, 3);  // a part of it came
  CHECK(s.seen.text == "ab<5>c<2>d<1>");
}

TEST_CASE(
    "P01 output that queued behind what a slow listener holds up comes again, and leaves no gap") {
  Spoken s;
  s.seen.isFull = true;
  kj::Vector<kj::Promise<void>> calls;
  uint64_t sequence = 0;
  for (auto text : {"a"_kj, "b"_kj, "c"_kj, "d"_kj}) {
    auto request = KJ_ASSERT_NONNULL(s.viewer).outputRequest();
    request.setSequence(sequence++);
    request.setData(text.asBytes());
    calls.add(request.send());
  }
  auto exited = KJ_ASSERT_NONNULL(s.viewer).exitedRequest().send();
  s.scope.poll();
  // As by a lane that breaks: which is left when the first gives up its turn gets it.
  for (auto i : {1u, 2u, 0u}) calls[i] = kj::READY_NOW;
  s.scope.poll();
  CHECK(s.seen.text == "a");
  CHECK(s.seen.exitCode == nullptr);

  s.seen.isFull = false;
  s.attach();
  s.say(1, "bcd");
  CHECK(s.seen.text == "abcd");
}

TEST_CASE("a listener hears of a terminal's title, directory and bell") {
  Spoken s;
  auto& viewer = KJ_ASSERT_NONNULL(s.viewer);
  auto titled = viewer.titledRequest();
  titled.setTitle("vim");
  titled.send().wait(s.scope);
  auto moved = viewer.movedRequest();
  moved.setDirectory("/srv");
  moved.send().wait(s.scope);
  viewer.rangRequest().send().wait(s.scope);
  CHECK(kj::strArray(s.seen.news, ", ") == "title vim, directory /srv, bell");
}

TEST_CASE("an attachment that was replaced or given up is not listened to any more") {
  Spoken s;
  s.say(0, "a");
  auto before = KJ_ASSERT_NONNULL(s.viewer);
  s.attach();
  auto thrown = kj::runCatchingExceptions([&] { Spoken::say(s.scope, before, 1, "x"); });
  CHECK(KJ_REQUIRE_NONNULL(thrown).getType() == kj::Exception::Type::DISCONNECTED);
  s.say(1, "b");
  CHECK(s.seen.text == "ab");
  s.terminal.detach();
  CHECK(kj::runCatchingExceptions([&] { s.say(2, "x"); }) != nullptr);
  CHECK(s.seen.text == "ab");
}

TEST_CASE("an attachment whose viewer the agent forgets is lost") {
  Spoken s;
  auto lost = s.terminal.onLost();
  CHECK_FALSE(lost.poll(s.scope));
  s.viewer = nullptr;
  lost.wait(s.scope);
}

}  // namespace
}  // namespace bothy
