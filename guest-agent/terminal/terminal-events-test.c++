// What a program says to people beside its output.

#include <catch2/catch_test_macros.hpp>

#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

TEST_CASE("a viewer hears of title, directory and bell, and who comes later of the first two") {
  TerminalTestWorld world;
  auto opened = world.open(
      "stty -echo; echo up; read x;"
      "printf '\\033]0;one\\007\\033]7;file:///tmp/a%%20b\\033\\\\\\007ready'; read x;"
      "printf '\\033]2;two\\033\\\\said'; read x");
  Seen seen, later;
  auto attachment = world.attach(opened.terminal, seen);
  // Nobody hears of the bells of the past.
  seen.until("up").wait(world.scope);
  world.type(attachment, "\n");
  seen.until("ready").wait(world.scope);
  auto second = world.attach(opened.terminal, later);
  later.until("ready").wait(world.scope);
  world.type(attachment, "\n");
  seen.until("said").wait(world.scope);
  auto response = opened.terminal.infoRequest().send().wait(world.scope);
  CHECK(response.getInfo().getShownTitle() == "two");
  CHECK(response.getInfo().getDirectory() == "/tmp/a b");
  world.type(attachment, "\n");
  seen.until("").wait(world.scope);
  later.until("").wait(world.scope);
  REQUIRE(seen.titles.size() == 2);
  CHECK(seen.titles[0] == "one");
  CHECK(seen.titles[1] == "two");
  REQUIRE(seen.directories.size() == 1);
  CHECK(seen.directories[0] == "/tmp/a b");
  CHECK(seen.bells == 1);
  REQUIRE(later.titles.size() >= 1);
  CHECK(later.titles.back() == "two");
  REQUIRE(later.directories.size() == 1);
  CHECK(later.bells == 0);
  CHECK((seen.inOrder && later.inOrder));
}

TEST_CASE(
    "S42 a flood of bells and titles is told as often as a viewer answers, and holds up no "
    "output") {
  TerminalTestWorld world;
  auto opened = world.open(
      "i=0; while [ $i -lt 20000 ]; do printf '\\033]0;%s\\007\\007' $i; i=$((i+1)); done; printf "
      "end; read x");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("end").wait(world.scope);
  CHECK(seen.titles.size() < 20000);
  // Beside the output, and nothing is told behind the end.
  world.await([&]() { return seen.titles.size() > 0 && seen.titles.back() == "19999"; });
  world.type(attachment, "\n");
  seen.until("").wait(world.scope);
  CHECK(seen.inOrder);
}

// Does not know what came with generation 4.
class OldViewer final: public rpc::TerminalViewer::Server {
public:
  explicit OldViewer(kj::Own<kj::PromiseFulfiller<void>> ended) : ended(kj::mv(ended)) {}
  kj::Promise<void> output(OutputContext context) override { return kj::READY_NOW; }
  kj::Promise<void> exited(ExitedContext context) override {
    ended->fulfill();
    return kj::READY_NOW;
  }

private:
  kj::Own<kj::PromiseFulfiller<void>> ended;
};

// Never answers what it is told beside the output.
class SilentViewer final: public rpc::TerminalViewer::Server {
public:
  SilentViewer(kj::Vector<kj::String>& told, kj::Own<kj::PromiseFulfiller<void>> ended)
      : told(told), ended(kj::mv(ended)) {}
  kj::Promise<void> output(OutputContext context) override { return kj::READY_NOW; }
  kj::Promise<void> titled(TitledContext context) override {
    return note(kj::str("title ", context.getParams().getTitle()));
  }
  kj::Promise<void> moved(MovedContext context) override {
    return note(kj::str("directory ", context.getParams().getDirectory()));
  }
  kj::Promise<void> rang(RangContext context) override { return note(kj::str("bell")); }
  kj::Promise<void> exited(ExitedContext context) override {
    told.add(kj::str("end"));
    ended->fulfill();
    return kj::READY_NOW;
  }

private:
  kj::Vector<kj::String>& told;
  kj::Own<kj::PromiseFulfiller<void>> ended;
  kj::Promise<void> note(kj::String what) {
    told.add(kj::mv(what));
    return kj::NEVER_DONE;
  }
};

TEST_CASE("what a program says right before its end is told before that, also to a slow viewer") {
  TerminalTestWorld world;
  auto opened = world.open(
      "printf '\\033]0;one\\007'; read x;"
      "printf '\\033]0;two\\007\\033]7;file:///tmp\\033\\\\\\007'");
  kj::Vector<kj::String> told;
  auto paf = kj::newPromiseAndFulfiller<void>();
  auto request = opened.terminal.attachRequest();
  request.initFrom().setOldest();
  request.setOutput(kj::heap<SilentViewer>(told, kj::mv(paf.fulfiller)));
  auto attachment = request.send().wait(world.scope).getAttachment();
  world.await([&]() { return told.size() == 1; });
  world.type(attachment, "\n");
  paf.promise.wait(world.scope);
  CHECK(kj::strArray(told, "; ") == "title one; title two; directory /tmp; bell; end");
}

TEST_CASE("a viewer that does not know these misses nothing else") {
  TerminalTestWorld world;
  auto opened = world.open("printf '\\033]0;title\\007\\007'; echo said; exit 3");
  auto paf = kj::newPromiseAndFulfiller<void>();
  auto request = opened.terminal.attachRequest();
  request.initFrom().setOldest();
  request.setOutput(kj::heap<OldViewer>(kj::mv(paf.fulfiller)));
  auto attachment = request.send().wait(world.scope).getAttachment();
  paf.promise.wait(world.scope);
}

}  // namespace
}  // namespace bothy
