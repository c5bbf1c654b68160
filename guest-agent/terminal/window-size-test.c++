#include "terminal/window-size.h"

#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

TEST_CASE("P03 the first command sees the client's size") {
  TerminalTestWorld world;
  CHECK(world.run("stty size") == "43 132\r\n");
}

constexpr kj::StringPtr TELLS_SIZES =
    "stty -echo; trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done"_kj;

// A terminal whose program tells each size, and the client that opened it.
struct SizesWorld: public TerminalTestWorld {
  Opened opened = open(TELLS_SIZES);
  Seen seen;
  rpc::Attachment::Client attachment = attach(opened.terminal, seen, SIZE);

  SizesWorld() { until("ready\r\n"); }
  void until(kj::StringPtr text) { seen.until(text).wait(scope); }
};

// Another client of a terminal, with a viewer and a size of its own.
struct OtherClient {
  OtherClient(TerminalTestWorld& world, uint64_t id, WindowSize size) {
    auto get = world.reconnect().getRequest();
    get.setId(id);
    terminal = get.send().wait(world.scope).getTerminal();
    attachment = world.attach(terminal, seen, size);
  }
  Seen seen;
  rpc::Terminal::Client terminal = nullptr;
  rpc::Attachment::Client attachment = nullptr;
};

TEST_CASE("P03 a resize reaches the program and every viewer, where it happened in the output") {
  TerminalTestWorld world;
  auto opened =
      world.open("trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done");
  Seen one, two;
  auto first = world.attach(opened.terminal, one, TerminalTestWorld::SIZE);
  auto second = world.attach(opened.terminal, two);
  one.until("ready\r\n").wait(world.scope);
  world.resize(first, {80, 24});
  one.until("").wait(world.scope);
  two.until("").wait(world.scope);
  for (auto* seen : {&one, &two}) {
    CHECK(seen->text() == "ready\r\n24 80\r\n");
    REQUIRE(seen->sizes.size() == 1);
    CHECK(seen->sizes[0] == WindowSize{80, 24});
    CHECK(seen->bytesBeforeResize.orDefault(0) == strlen("ready\r\n"));
  }
}

TEST_CASE(
    "P03 a size that the program has set itself is replaced by the client's, also by its last") {
  TerminalTestWorld world;
  auto opened = world.open(
      "stty cols 50; trap 'stty size; exit' WINCH; echo set; while :; do sleep 0.01; done");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("set\r\n").wait(world.scope);
  world.resize(attachment, TerminalTestWorld::SIZE);
  seen.until("").wait(world.scope);
  CHECK(seen.text() == "set\r\n43 132\r\n");
}

TEST_CASE("P03 the size of whoever attaches is applied before the first byte") {
  TerminalTestWorld world;
  auto opened = world.open("read line; stty size");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen, {100, 30});
  world.type(attachment, "\n");
  seen.until("").wait(world.scope);
  CHECK(seen.has("30 100"));
  CHECK(seen.sizes.size() == 0);
}

TEST_CASE("P03 of two viewers the one who typed last decides the size, and the other is told") {
  SizesWorld world;
  OtherClient second(world, world.opened.id, {90, 30});
  world.until("30 90\r\n");
  CHECK(world.seen.sizes.back() == WindowSize{90, 30});
  // Who does not decide is heard when it types.
  world.resize(world.attachment, {50, 10});
  world.resize(second.attachment, {91, 31});
  world.until("31 91\r\n");
  world.type(world.attachment, "x");
  world.until("10 50\r\n");
  second.seen.until("10 50\r\n").wait(world.scope);
  CHECK(second.seen.sizes.back() == WindowSize{50, 10});
  // Typing on changes nothing, and now it is heard at once.
  world.type(world.attachment, "y");
  world.resize(world.attachment, {51, 11});
  world.until("11 51\r\n");
  world.type(second.attachment, "z");
  world.until("11 51\r\n31 91\r\n");
  CHECK_FALSE(world.seen.has("50\r\n10 50"));
}

TEST_CASE("P03 a viewer without a size of its own types into whatever size there is") {
  SizesWorld world;
  Seen other;
  auto second = world.attach(world.opened.terminal, other);
  world.type(second, "x");
  world.resize(world.attachment, {60, 20});
  world.until("20 60\r\n");
  CHECK(world.seen.text() == "ready\r\n20 60\r\n");
}

TEST_CASE("P03 the size of a viewer that detaches gives way to the last of those who are left") {
  SizesWorld world;
  auto second = kj::heap<OtherClient>(world, world.opened.id, WindowSize{90, 30});
  world.until("30 90\r\n");
  auto third = kj::heap<OtherClient>(world, world.opened.id, WindowSize{70, 20});
  world.until("20 70\r\n");
  third = nullptr;
  world.until("20 70\r\n30 90\r\n");
  second = nullptr;
  world.until("30 90\r\n43 132\r\n");
  CHECK(world.seen.sizes.back() == TerminalTestWorld::SIZE);
}

TEST_CASE("P03 a viewer whose size does not count changes nothing when it detaches") {
  SizesWorld world;
  auto second = kj::heap<OtherClient>(world, world.opened.id, WindowSize{90, 30});
  world.until("30 90\r\n");
  world.resize(world.attachment, {50, 10});
  world.type(world.attachment, "x");
  world.until("10 50\r\n");
  second = nullptr;
  // The next size is the next that is seen.
  world.resize(world.attachment, {60, 11});
  world.until("11 60\r\n");
  CHECK(world.seen.has("10 50\r\n11 60\r\n"));
}

TEST_CASE("P03 when all who wanted a size have detached, it stays as it was") {
  SizesWorld world;
  Seen other;
  auto onlooker = world.attach(world.opened.terminal, other);
  auto second = kj::heap<OtherClient>(world, world.opened.id, WindowSize{90, 30});
  world.until("30 90\r\n");
  second->seen.until("30 90\r\n").wait(world.scope);
  auto info = [&]() { return world.opened.terminal.infoRequest().send().wait(world.scope); };
  auto awaitViewers = [&](kj::uint count) {
    while (info().getInfo().getViewers() != count) kj::evalLater([]() {}).wait(world.scope);
  };
  world.attachment = nullptr;
  awaitViewers(2);
  second = nullptr;
  awaitViewers(1);
  CHECK(info().getInfo().getSize().getColumns() == 90);
}

TEST_CASE("P03 a size of 0x0 is refused") {
  TerminalTestWorld world;
  auto request = world.terminals.openRequest();
  CHECK_THROWS_AS(request.send().wait(world.scope), kj::Exception);
  auto opened = world.open("read line");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  CHECK_THROWS_AS(world.resize(attachment, {80, 4097}), kj::Exception);
}

TEST_CASE("what was asked of a terminal before attachments took it is not served any more") {
  TerminalTestWorld world;
  auto opened = world.open("read line");
  auto request = opened.terminal.obsoleteResizeRequest();
  WindowSize{80, 24}.writeTo(request.initSize());
  auto failure = kj::runCatchingExceptions([&]() { request.send().wait(world.scope); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::UNIMPLEMENTED);
}

}  // namespace
}  // namespace bothy
