// Viewers that come while something is on the screen.

#include "terminal/screen-view.h"

#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "support/screen.h"
#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

constexpr WindowSize SIZE = {60, 20};

// A program at which one viewer looks from its first byte, and another from some moment on.
struct TwoViewers {
  TerminalTestWorld world;
  TerminalTestWorld::Opened opened;
  Seen seen, later;
  rpc::Attachment::Client first = nullptr, second = nullptr;

  explicit TwoViewers(kj::StringPtr script)
      : opened(world.open(kj::str("stty -echo; ", script), "", SIZE)) {
    first = world.attach(opened.terminal, seen, SIZE);
  }
  void until(kj::StringPtr text) { seen.until(text).wait(world.scope); }
  TerminalTestWorld::AttachRequest request() {
    auto request = world.attachRequest(opened.terminal, later);
    request.getFrom().setScreen();
    return request;
  }
  void come() {
    second = request().send().wait(world.scope).getAttachment();
    later.untilRedraw().wait(world.scope);
  }
  void go() { world.type(first, "\n"); }
  void finish() {
    until("");
    later.until("").wait(world.scope);
  }
  // Both see the same.
  void check() {
    Screen one(SIZE.columns, SIZE.rows), two(SIZE.columns, SIZE.rows);
    one.feed(seen.bytes);
    two.feed(later.redraw);
    two.feed(later.bytes);
    CHECK(two.describe() == one.describe());
    CHECK(later.inOrder);
    CHECK(later.next == seen.next);
  }
};

TEST_CASE("P01 a viewer that comes to a full screen sees what is on it, and what comes") {
  TwoViewers v(
      "seq 1 100; printf '\\033[?1049h\\033[2J\\033[3;9r\\033[31;1mred\\033[5;7Hhere\\033[?2004h'; "
      "echo up; read x;"
      "printf '\\033[0mthere\\n\\n\\n\\n\\n\\nend'; read x; printf '\\033[r\\033[?1049lback'");
  v.until("up");
  v.come();
  v.check();
  v.go();
  v.until("end");
  v.later.until("end").wait(v.world.scope);
  v.check();
  v.go();
  v.finish();
  v.check();
}

TEST_CASE(
    "P01 a viewer that comes within a sequence, a string or a character sees no half of one") {
  struct Cut {
    kj::StringPtr before, raw, after;
  };
  constexpr Cut CUTS[] = {{"a\\033[3"_kj, "a\033[3"_kj, "1mred"_kj},
                          {"a\\033]0;ti"_kj, "a\033]0;ti"_kj, "tle\\007x"_kj},
                          {"a\\346\\227"_kj, "a\xe6\x97"_kj, "\\245."_kj},
                          {"a\\033"_kj, "a\033"_kj, "7x"_kj}};
  for (auto& cut : CUTS) {
    INFO(cut.before.cStr());
    TwoViewers v(kj::str("printf '", cut.before, "'; read x; printf '", cut.after, "'; read x"));
    v.until(cut.raw);
    v.come();
    v.go();
    v.go();
    v.finish();
    v.check();
  }
}

TEST_CASE("P02 a redraw types nothing, whatever the program has asked the terminal") {
  TwoViewers v(
      "printf '\\033[c\\033[6n\\033]10;?\\007\\033[?u\\033P$qm\\033\\\\'; echo up; read x");
  v.until("up");
  v.come();
  Screen screen(SIZE.columns, SIZE.rows);
  screen.feed(v.later.redraw);
  CHECK(screen.takeAnswers().size() == 0);
  CHECK(screen.line(0) == "up");
  v.go();
  v.finish();
}

TEST_CASE("P03 a redraw is of the size that its viewer brings") {
  TwoViewers v("printf '\\033[10;1Hten'; echo up; read x");
  v.until("up");
  auto request = v.request();
  WindowSize{40, 8}.writeTo(request.initSize().initSize());
  v.second = request.send().wait(v.world.scope).getAttachment();
  v.later.untilRedraw().wait(v.world.scope);
  CHECK(v.later.redrawSize == WindowSize{40, 8});
  Screen screen(40, 8);
  screen.feed(v.later.redraw);
  CHECK(screen.line(6) == "tenup");
  CHECK(v.later.sizes.size() == 0);
  v.go();
  v.finish();
}

TEST_CASE("P01 a viewer that lags behind the scrollback gets a gap, and the screen behind it") {
  TwoViewers v(
      "read x; head -c 3000000 /dev/zero | tr '\\0' x; printf '\\033[2J\\033[Hlast'; read x");
  auto gate = kj::newPromiseAndFulfiller<void>();
  v.later.gate = gate.promise.fork();
  auto request = v.world.attachRequest(v.opened.terminal, v.later);
  request.setRedrawsGaps(true);
  v.second = request.send().wait(v.world.scope).getAttachment();
  v.go();
  v.until("last");
  gate.fulfiller->fulfill();
  v.later.untilRedraw().wait(v.world.scope);
  CHECK(v.later.lost > 0);
  v.go();
  v.finish();
  v.check();
}

TEST_CASE("P01 the screen of a program that has ended is there, and then how it ended") {
  TwoViewers v("printf 'last words'; exit 3");
  v.until("");
  v.come();
  v.later.until("").wait(v.world.scope);
  v.check();
  CHECK(v.later.exitCode.orDefault(99) == 3);
}

TEST_CASE("S42 P01 a string that is longer than what is kept of a terminal is continued as one") {
  TerminalTestWorld world;
  OutputRing other(world.programs->outputs, {LEAST_OUTPUT_BYTES, LEAST_OUTPUT_BYTES});
  other.append(kj::heapArray<kj::byte>(LEAST_OUTPUT_BYTES));
  constexpr kj::StringPtr BEGINNING = "\033]52;c;"_kj;
  constexpr uint64_t STRING_BYTES = 40 * 1024;
  auto opened =
      world.open(kj::str("stty -opost -echo; printf '", "\\033]52;c;", "'; head -c ", STRING_BYTES,
                         " /dev/zero | tr '\\0' A; read x; "
                         "printf 'A\\007done'; read x"),
                 "", SIZE);
  world.untilProduced(opened.terminal, BEGINNING.size() + STRING_BYTES);
  Seen seen;
  auto request = world.attachRequest(opened.terminal, seen);
  request.getFrom().setScreen();
  auto attachment = request.send().wait(world.scope).getAttachment();
  seen.untilRedraw().wait(world.scope);
  world.type(attachment, "\n");
  seen.until("done").wait(world.scope);
  Screen screen(SIZE.columns, SIZE.rows);
  screen.feed(seen.redraw);
  screen.feed(seen.bytes);
  CHECK(screen.line(0) == "done");
  CHECK(seen.lost == 0);
  world.type(attachment, "\n");
}

TEST_CASE("P01 a redraw repeats no more of a string than is still to be had") {
  constexpr kj::StringPtr STRING = "\033]52;c;AAAA"_kj;
  OutputBudget budget(LEAST_OUTPUT_BYTES);
  ScreenView view(budget, SIZE);
  OutputRing whole(budget, {LEAST_SCROLLBACK_BYTES, LEAST_SCROLLBACK_BYTES});
  OutputRing cut(budget, {LEAST_SCROLLBACK_BYTES, LEAST_SCROLLBACK_BYTES});
  REQUIRE(view.feed(STRING.asBytes()));
  whole.append(STRING.asBytes());
  cut.append(STRING.slice(1).asBytes());
  CHECK(view.snapshot(whole)->bytesAfter == STRING.size());
  auto shorter = view.snapshot(cut);
  CHECK(shorter->bytesAfter == 0);
  CHECK(kj::heapString(shorter->bytes.asChars()).endsWith("\033]"));
}

TEST_CASE("S42 of screens that are larger than is kept a redraw has all but the cells") {
  TerminalTestWorld world;
  auto opened = world.open("printf 'text\\033[?2004h'; echo up; read x", "", {4096, 4096});
  Seen seen, later;
  auto first = world.attach(opened.terminal, seen);
  seen.until("up").wait(world.scope);
  auto request = world.attachRequest(opened.terminal, later);
  request.getFrom().setScreen();
  auto second = request.send().wait(world.scope).getAttachment();
  later.untilRedraw().wait(world.scope);
  auto text = kj::heapString(later.redraw.asPtr().asChars());
  CHECK(text.size() < 2000);
  Screen screen(80, 24);
  screen.feed(later.redraw);
  CHECK(screen.text() == "");
  CHECK(strstr(screen.describe().cStr(), "?2004;1$y") != nullptr);
}

TEST_CASE("S42 redraws that nobody takes are held within what screens may take") {
  // The cells have a quarter of what screens may take, and redraws a quarter of what is left of that.
  constexpr size_t CELL_BYTES = SIZE.columns * SIZE.rows * sizeof(Cell);
  OutputBudget budget(CELL_BYTES * OutputBudget::SCREEN_PART * OutputBudget::SCREENS_PART);
  ScreenView view(budget, SIZE);
  OutputRing output(budget, {LEAST_SCROLLBACK_BYTES, LEAST_SCROLLBACK_BYTES});
  view.feed(kj::strArray(kj::repeat("x"_kj, SIZE.columns * SIZE.rows), "").asBytes());
  kj::Vector<kj::Own<ScreenView::Snapshot>> held;
  do {
    held.add(view.snapshot(output));
    REQUIRE(held.size() < 100);
  } while (held.back()->bytes.size() > SIZE.columns * SIZE.rows);
  CHECK(held.size() > 2);
  CHECK(budget.held() <= CELL_BYTES * OutputBudget::SCREEN_PART);
  held.clear();
  CHECK(view.snapshot(output)->bytes.size() > SIZE.columns * SIZE.rows);
}

TEST_CASE(
    "S42 who comes soon after another has the same redraw, and a new size waits for its turn") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  TerminalTestWorld world(timer);
  auto opened = world.open("stty -echo; printf up; read x; printf there; read x", "", SIZE);
  Seen seen;
  auto first = world.attach(opened.terminal, seen, SIZE);
  auto pass = [&](kj::Duration time) {
    timer.advanceTo(timer.now() + time);
    world.scope.poll();
  };
  auto until = [&](auto&& isSo) {
    world.await([&]() {
      pass(0 * kj::SECONDS);
      return isSo();
    });
  };
  until([&]() { return seen.has("up"); });
  struct Later {
    Seen seen;
    rpc::Attachment::Client attachment = nullptr;
  };
  auto come = [&](Later& later, WindowSize size) {
    auto request = world.attachRequest(opened.terminal, later.seen);
    request.getFrom().setScreen();
    size.writeTo(request.initSize().initSize());
    later.attachment = request.send().wait(world.scope).getAttachment();
    pass(0 * kj::SECONDS);
  };
  Later one, two, three;
  come(one, SIZE);
  until([&]() { return one.seen.redraws == 1; });
  auto typing = first.writeRequest();
  typing.setData("\n"_kj.asBytes());
  auto typed = typing.send();
  until([&]() { return seen.has("there"); });
  come(two, SIZE);
  until([&]() { return two.seen.redraws == 1; });
  CHECK(two.seen.redraw.asPtr() == one.seen.redraw.asPtr());
  until([&]() { return two.seen.has("there"); });

  come(three, {40, 8});
  world.scope.poll();
  CHECK(three.seen.redraws == 0);
  pass(REDRAW_PAUSE);
  until([&]() { return three.seen.redraws == 1; });
  CHECK(three.seen.redrawSize == WindowSize{40, 8});
  // What was shown is not kept for who may never come.
  const auto keptToo = world.programs->outputs.held();
  pass(REDRAW_PAUSE);
  CHECK(world.programs->outputs.held() < keptToo);
  Screen screen(40, 8);
  screen.feed(three.seen.redraw);
  CHECK(screen.line(0) == "upthere");
}

}  // namespace
}  // namespace bothy
