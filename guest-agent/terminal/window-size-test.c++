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

TEST_CASE("P03 a resize reaches the program and every viewer, where it happened in the output") {
  TerminalTestWorld world;
  auto opened =
      world.open("trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done");
  Seen one, two;
  auto first = world.attach(opened.terminal, one);
  auto second = world.attach(opened.terminal, two);
  one.until("ready\r\n").wait(world.scope);
  auto resize = opened.terminal.resizeRequest();
  WindowSize{80, 24}.writeTo(resize.initSize());
  resize.send().wait(world.scope);
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
  auto resize = opened.terminal.resizeRequest();
  TerminalTestWorld::SIZE.writeTo(resize.initSize());
  resize.send().wait(world.scope);
  seen.until("").wait(world.scope);
  CHECK(seen.text() == "set\r\n43 132\r\n");
}

TEST_CASE("P03 the size of whoever attaches is applied before the first byte") {
  TerminalTestWorld world;
  auto opened = world.open("read line; stty size");
  Seen seen;
  auto request = world.attachRequest(opened.terminal, seen);
  WindowSize{100, 30}.writeTo(request.initSize().initSize());
  auto attachment = request.send().wait(world.scope).getAttachment();
  world.type(opened.terminal, "\n");
  seen.until("").wait(world.scope);
  CHECK(seen.has("30 100"));
  CHECK(seen.sizes.size() == 0);
}

// Another client of a terminal, with a viewer and a size of its own.
struct OtherClient {
  OtherClient(TerminalTestWorld& world, uint64_t id, WindowSize size) {
    auto get = world.reconnect().getRequest();
    get.setId(id);
    terminal = get.send().wait(world.scope).getTerminal();
    auto attach = world.attachRequest(terminal, seen);
    size.writeTo(attach.initSize().initSize());
    attachment = attach.send().wait(world.scope).getAttachment();
  }
  Seen seen;
  rpc::Terminal::Client terminal = nullptr;
  rpc::Attachment::Client attachment = nullptr;
};

TEST_CASE("P03 the size of a viewer that detaches gives way to the last of those who are left") {
  TerminalTestWorld world;
  auto opened = world.open("trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready\r\n").wait(world.scope);
  auto second = kj::heap<OtherClient>(world, opened.id, WindowSize{90, 30});
  seen.until("30 90\r\n").wait(world.scope);
  auto third = kj::heap<OtherClient>(world, opened.id, WindowSize{70, 20});
  seen.until("20 70\r\n").wait(world.scope);
  third = nullptr;
  seen.until("20 70\r\n30 90\r\n").wait(world.scope);
  second = nullptr;
  seen.until("30 90\r\n43 132\r\n").wait(world.scope);
  CHECK(seen.sizes.back() == TerminalTestWorld::SIZE);
}

TEST_CASE("P03 a viewer whose size does not count changes nothing when it detaches") {
  TerminalTestWorld world;
  auto opened = world.open("trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready\r\n").wait(world.scope);
  auto second = kj::heap<OtherClient>(world, opened.id, WindowSize{90, 30});
  seen.until("30 90\r\n").wait(world.scope);
  auto resize = [&](WindowSize size) {
    auto request = opened.terminal.resizeRequest();
    size.writeTo(request.initSize());
    request.send().wait(world.scope);
  };
  resize({50, 10});
  seen.until("10 50\r\n").wait(world.scope);
  second = nullptr;
  // The next size is the next that is seen.
  resize({60, 11});
  seen.until("11 60\r\n").wait(world.scope);
  CHECK(seen.text() == "ready\r\n30 90\r\n10 50\r\n11 60\r\n");
}

TEST_CASE(
    "P03 a client keeps its size while one of its viewers is left, and the last one its own") {
  TerminalTestWorld world;
  auto opened = world.open("trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done");
  Seen seen, other;
  auto attachment = world.attach(opened.terminal, seen);
  seen.until("ready\r\n").wait(world.scope);
  auto second = kj::heap<OtherClient>(world, opened.id, WindowSize{90, 30});
  seen.until("30 90\r\n").wait(world.scope);
  auto again = world.attach(second->terminal, other);
  second->attachment = nullptr;
  attachment = nullptr;
  other.until("30 90\r\n").wait(world.scope);
  auto info = [&]() { return opened.terminal.infoRequest().send().wait(world.scope); };
  while (info().getInfo().getViewers() > 1) kj::evalLater([]() {}).wait(world.scope);
  auto answer = info();
  auto size = answer.getInfo().getSize();
  CHECK((size.getColumns() == 90 && size.getRows() == 30));
}

TEST_CASE("P03 a size that was set by who has no viewer stays when a viewer detaches") {
  TerminalTestWorld world;
  auto opened = world.open("read line");
  Seen seen;
  auto attachment = world.attach(opened.terminal, seen);
  auto second = kj::heap<OtherClient>(world, opened.id, WindowSize{90, 30});
  auto third = kj::heap<OtherClient>(world, opened.id, WindowSize{70, 20});
  third->attachment = nullptr;
  auto info = [&]() { return opened.terminal.infoRequest().send().wait(world.scope); };
  auto awaitViewers = [&](kj::uint count) {
    while (info().getInfo().getViewers() != count) kj::evalLater([]() {}).wait(world.scope);
  };
  awaitViewers(2);
  auto resize = third->terminal.resizeRequest();
  WindowSize{50, 10}.writeTo(resize.initSize());
  resize.send().wait(world.scope);
  second->attachment = nullptr;
  awaitViewers(1);
  CHECK(info().getInfo().getSize().getColumns() == 50);
}

TEST_CASE("P03 a size of 0x0 is refused") {
  TerminalTestWorld world;
  auto request = world.terminals.openRequest();
  CHECK_THROWS_AS(request.send().wait(world.scope), kj::Exception);
  auto opened = world.open("read line");
  auto resize = opened.terminal.resizeRequest();
  WindowSize{80, 4097}.writeTo(resize.initSize());
  CHECK_THROWS_AS(resize.send().wait(world.scope), kj::Exception);
}

}  // namespace
}  // namespace bothy
