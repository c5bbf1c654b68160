#include "vm/console-log.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <string.h>

#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "support/log-record.h"
#include "vm/testing/slow-console-file.h"

namespace bothy {
namespace {

// A console that always has something to read, so many bytes at a time.
class FullConsole final: public kj::AsyncIoStream {
public:
  explicit FullConsole(size_t bytes, uint64_t& said) : bytes(bytes), said(said) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t, size_t maxBytes) override {
    auto count = kj::min(bytes, maxBytes);
    memset(buffer, 'x', count);
    said += count;
    return count;
  }
  kj::Promise<void> write(const void*, size_t) override { return kj::READY_NOW; }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>) override {
    return kj::READY_NOW;
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }
  void shutdownWrite() override {}

private:
  const size_t bytes;
  uint64_t& said;
};

OpenConsoleFile openNow(const SlowDisk& disk, kj::StringPtr name) {
  auto file = disk.open(name);
  auto end = file->end();
  return {kj::mv(file), kj::mv(end)};
}

TEST_CASE("S01 a console that never pauses is read at a pace, and keeps nobody else waiting") {
  for (size_t bytes : {size_t(1), 16 * CONSOLE_TURN_BYTES}) {
    INFO(bytes << " bytes at a time");
    kj::EventLoop loop;
    kj::WaitScope scope(loop);
    kj::TimerImpl timer(kj::origin<kj::TimePoint>());
    ConsoleWriter writer(timer);
    auto disk = kj::atomicRefcounted<SlowDisk>();
    ConsoleTail tail;
    ConsoleLog log(writer, "one", openNow(*disk, "one"), tail);
    uint64_t said = 0;
    auto word = kj::newPromiseAndFulfiller<void>();
    auto recording = log.record(timer, kj::heap<FullConsole>(bytes, said), kj::mv(word.fulfiller));
    // Each turn ends, and the next begins in its time.
    CHECK_FALSE(recording.poll(scope));
    const auto turn = said;
    CHECK(turn > 0);
    CHECK(turn <= CONSOLE_TURN_BYTES);
    timer.advanceTo(timer.now() + CONSOLE_PAUSE);
    CHECK_FALSE(recording.poll(scope));
    CHECK(said == 2 * turn);
  }
}

std::string textOf(const ConsoleTail& tail) {
  auto end = tail.end();
  return std::string(end.begin(), end.end());
}

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Own<const SlowDisk> disk = kj::atomicRefcounted<SlowDisk>();
  ConsoleWriter writer{timer};
  ConsoleTail tail;
  kj::PromiseFulfillerPair<OpenConsoleFile> opening = kj::newPromiseAndFulfiller<OpenConsoleFile>();
  ConsoleLog log{writer, "one", kj::mv(opening.promise), tail};
  kj::TwoWayPipe console = kj::newTwoWayPipe();
  kj::PromiseFulfillerPair<void> word = kj::newPromiseAndFulfiller<void>();
  kj::Promise<void> recording =
      log.record(timer, kj::mv(console.ends[0]), kj::mv(word.fulfiller)).eagerlyEvaluate(nullptr);

  explicit World(kj::StringPtr earlier = nullptr) {
    if (earlier.size() > 0) disk->open("one")->append(earlier.asBytes());
  }
  ~World() noexcept(false) { disk->goOn(); }

  void open() {
    opening.fulfiller->fulfill(openNow(*disk, "one"));
    scope.poll();
  }

  void say(kj::StringPtr text) {
    console.ends[1]->write(text.begin(), text.size()).wait(scope);
    scope.poll();
  }
  void shutDown() {
    console.ends[1]->shutdownWrite();
    scope.poll();
  }
};

TEST_CASE("P30 who waits for the end of a console finds all of it in the file") {
  World w;
  w.open();
  w.disk->hang();
  w.say("Kernel panic\n");
  w.shutDown();
  CHECK_FALSE(w.recording.poll(w.scope));
  w.disk->goOn();
  w.recording.wait(w.scope);
  CHECK(w.disk->text("one") == "Kernel panic\n");
}

TEST_CASE(
    "S09 a console whose disk hangs is read on, and its end is waited for no longer than so") {
  World w;
  w.open();
  w.disk->hang();
  for (int i = 0; i < 3; ++i) w.say("word\n");
  w.shutDown();
  CHECK_FALSE(w.recording.poll(w.scope));
  w.timer.advanceTo(w.timer.now() + CONSOLE_END_LIMIT);
  CHECK(w.recording.poll(w.scope));
  w.recording.wait(w.scope);
  CHECK(textOf(w.tail) == "word\nword\nword\n");
  CHECK(w.disk->text("one") == "");
}

TEST_CASE(
    "S09 a console whose file cannot be opened yet is read, and all of it is in the file then") {
  World w("of an earlier bothyd\n");
  w.say("first words\n");
  w.word.promise.wait(w.scope);
  CHECK(textOf(w.tail) == "first words\n");
  const bool isOpened = GENERATE(false, true);
  if (isOpened) w.open();
  w.say("last words\n");
  w.shutDown();
  if (!isOpened) {
    // Its end is waited for no longer than that of one whose disk hangs.
    CHECK_FALSE(w.recording.poll(w.scope));
    w.timer.advanceTo(w.timer.now() + CONSOLE_END_LIMIT);
    CHECK(w.recording.poll(w.scope));
    return;
  }
  w.recording.wait(w.scope);
  const std::string all = "of an earlier bothyd\nfirst words\nlast words\n";
  CHECK(textOf(w.tail) == all);
  CHECK(w.disk->text("one") == all);
}

TEST_CASE(
    "P30 a console whose file cannot be opened or written is read on, and that is logged once") {
  LogRecord record;
  World w;
  const bool isOpened = GENERATE(false, true);
  if (isOpened) {
    w.open();
    w.disk->breakDown();
    w.say("word\n");
    CHECK_THROWS(w.writer.whenWritten(0).wait(w.scope));
  } else {
    w.opening.fulfiller->reject(KJ_EXCEPTION(FAILED, "too many open files"));
    w.scope.poll();
    w.say("word\n");
  }
  w.say("Kernel panic\n");
  w.say("Rebooting\n");
  w.shutDown();
  w.recording.wait(w.scope);
  CHECK(textOf(w.tail) == "word\nKernel panic\nRebooting\n");
  REQUIRE(record.lines.size() == 1);
  CHECK(strstr(record.lines[0].cStr(), "not recorded any more") != nullptr);
}

TEST_CASE("S09 a console whose file opens after its end is lost, and the log says so") {
  LogRecord record;
  World w;
  w.say("words\n");
  w.shutDown();
  w.scope.poll();
  w.timer.advanceTo(w.timer.now() + CONSOLE_END_LIMIT);
  w.recording.wait(w.scope);
  w.open();
  CHECK(w.disk->text("one") == "");
  REQUIRE(record.lines.size() == 1);
  CHECK(strstr(record.lines[0].cStr(), "what a console said is lost") != nullptr);
}

TEST_CASE("P41 the end of a console begins with what an earlier bothyd recorded of it") {
  World w;
  w.open();
  w.say("first words\n");
  w.writer.whenWritten(0).wait(w.scope);
  ConsoleTail tail;
  ConsoleLog later(w.writer, "one", openNow(*w.disk, "one"), tail);
  auto word = kj::newPromiseAndFulfiller<void>();
  auto console = kj::newTwoWayPipe();
  auto recording = later.record(w.timer, kj::mv(console.ends[0]), kj::mv(word.fulfiller))
                       .eagerlyEvaluate(nullptr);
  console.ends[1]->write("and more\n", 9).wait(w.scope);
  w.scope.poll();
  CHECK(textOf(tail) == "first words\nand more\n");
}

}  // namespace
}  // namespace bothy
