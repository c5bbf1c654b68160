#include "vm/console-writer.h"

#include <kj/debug.h>
#include <kj/thread.h>
#include <kj/timer.h>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "vm/testing/slow-console-file.h"

namespace bothy {
namespace {

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Own<const SlowDisk> disk = kj::atomicRefcounted<SlowDisk>();
  kj::Own<ConsoleWriter> writer = kj::heap<ConsoleWriter>(timer);

  ~World() noexcept(false) { disk->goOn(); }

  uint64_t add(kj::StringPtr name) {
    auto console = writer->add(name);
    writer->open(console, disk->open(name));
    return console;
  }
  void say(uint64_t console, const std::string& text) {
    writer->append(console, kj::arrayPtr(text.data(), text.size()).asBytes());
  }
};

TEST_CASE("what consoles say is written in order, and all of it before the writer ends") {
  World w;
  auto one = w.add("one"), two = w.add("two");
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    auto line = "line " + std::to_string(i) + "\n";
    w.say(one, line);
    w.say(two, line);
    expected += line;
  }
  w.writer->whenWritten(one).wait(w.scope);
  CHECK(w.disk->text("one") == expected);
  w.writer->whenWritten(one).wait(w.scope);
  w.disk->hang();
  w.say(one, "end of one");
  w.say(two, "end of two");
  w.disk->awaitHang();
  w.writer->remove(one);
  {
    kj::Thread later([&]() { w.disk->goOn(); });
    w.writer = nullptr;
  }
  CHECK(w.disk->text("one") == expected + "end of one");
  CHECK(w.disk->text("two") == expected + "end of two");
}

TEST_CASE(
    "S09 a disk that hangs holds up nobody, and its file has what came last and how much was "
    "lost") {
  World w;
  auto one = w.add("one");
  w.disk->hang();
  const std::string first = "first words\n";
  w.say(one, first);
  w.disk->awaitHang();
  std::string said;
  while (said.size() < 2 * CONSOLE_BUFFER_BYTES) {
    auto line = "line " + std::to_string(said.size()) + "\n";
    w.say(one, line);
    said += line;
  }
  w.disk->goOn();
  w.writer->whenWritten(one).wait(w.scope);
  w.say(one, "and then");
  w.writer->whenWritten(one).wait(w.scope);
  const auto text = w.disk->text("one");
  const auto kept = text.size() - text.find('>') - 1 - std::string("and then").size();
  CHECK(kept <= CONSOLE_BUFFER_BYTES);
  CHECK(kept > CONSOLE_BUFFER_BYTES - CONSOLE_PIECE_BYTES);
  const auto lost = said.size() - kept;
  CHECK(text == first + "<" + std::to_string(lost) + ">" + said.substr(lost) + "and then");
}

TEST_CASE("S09 a console that says much is written in pieces, between which others have theirs") {
  World w;
  auto loud = w.add("loud"), quiet = w.add("quiet");
  w.disk->hang();
  w.say(loud, std::string(CONSOLE_BUFFER_BYTES, 'x'));
  w.disk->awaitHang();
  // Neither of the two is written to before this one has said its word.
  w.say(quiet, "a word");
  auto word = w.writer->whenWritten(quiet).then(
      [&]() { CHECK(w.disk->text("loud").size() < CONSOLE_BUFFER_BYTES); });
  w.disk->goOnFor(2);
  word.wait(w.scope);
}

TEST_CASE(
    "S01 S09 consoles on a disk that hangs have so much together, and who says little loses "
    "nothing for who says much") {
  // Each alone says no more than it may.
  constexpr size_t LOUD = 2 * CONSOLE_BUFFERS_BYTES / CONSOLE_BUFFER_BYTES;
  World w;
  w.disk->hang();
  w.say(w.add("first"), "x");
  w.disk->awaitHang();
  auto quiet = w.add("quiet");
  w.say(quiet, "a word");
  struct Console {
    std::string name;
    uint64_t id;
  };
  kj::Vector<Console> loud;
  for (size_t i = 0; i < LOUD; ++i) {
    auto name = "loud" + std::to_string(i);
    loud.add(Console{name, w.add(name.c_str())});
  }
  const std::string piece(CONSOLE_PIECE_BYTES, 'x');
  for (size_t said = 0; said < CONSOLE_BUFFER_BYTES; said += piece.size()) {
    for (auto& console : loud) w.say(console.id, piece);
  }
  w.say(quiet, " and another");
  w.disk->goOn();
  w.writer->whenAllWritten().wait(w.scope);
  CHECK(w.disk->text("quiet") == "a word and another");
  size_t kept = 0, least = CONSOLE_BUFFER_BYTES;
  for (auto& console : loud) {
    const auto text = w.disk->text(console.name.c_str());
    const auto bytes = text.size() - (text.find('>') + 1);
    kept += bytes;
    least = kj::min(least, bytes);
  }
  CHECK(kept <= CONSOLE_BUFFERS_BYTES);
  CHECK(kept > CONSOLE_BUFFERS_BYTES - CONSOLE_PIECE_BYTES);
  CHECK(least >= CONSOLE_PIECE_BYTES);
}

TEST_CASE("S09 a writer whose disk hangs ends all the same") {
  World w;
  auto one = w.add("one");
  w.disk->hang();
  w.say(one, "first");
  w.disk->awaitHang();
  w.say(one, "second");
  w.writer->remove(one);
  // This would wait for the disk.
  w.writer = nullptr;
  CHECK(w.disk->text("one") == "");
  w.disk->goOn();
  w.disk->awaitClosed(1);
}

TEST_CASE(
    "P41 who ends waits until all that consoles said is written, and not for a file that fails") {
  World w;
  auto one = w.add("one"), two = w.add("two");
  w.writer->whenAllWritten().wait(w.scope);
  w.disk->hang();
  w.say(one, "end of one");
  w.say(two, "end of two");
  w.disk->awaitHang();
  auto written = w.writer->whenAllWritten();
  w.disk->goOnFor(1);
  w.writer->whenWritten(one).wait(w.scope);
  CHECK_FALSE(written.poll(w.scope));
  w.disk->goOn();
  written.wait(w.scope);
  CHECK(w.disk->text("two") == "end of two");
  w.disk->breakDown();
  w.say(one, "lost");
  w.writer->whenAllWritten().wait(w.scope);
}

TEST_CASE("S09 what a console says before its file is open is written then, or not at all") {
  World w;
  auto one = w.writer->add("one"), two = w.writer->add("two"), three = w.writer->add("three");
  for (auto console : {one, two, three}) w.say(console, "a word");
  auto written = w.writer->whenWritten(one), failing = w.writer->whenWritten(three);
  CHECK_FALSE(written.poll(w.scope));
  w.writer->open(one, w.disk->open("one"));
  written.wait(w.scope);
  CHECK(w.disk->text("one") == "a word");
  // Whose machine is gone first.
  w.writer->remove(two);
  w.writer->fail(three, KJ_EXCEPTION(FAILED, "it cannot be opened"));
  CHECK_THROWS(failing.wait(w.scope));
  CHECK_THROWS(w.say(three, "another"));
  w.writer->remove(three);
  w.writer->whenAllWritten().wait(w.scope);
}

TEST_CASE("a file that fails is written to no more, and its console learns why") {
  World w;
  auto one = w.add("one"), two = w.add("two");
  w.disk->breakDown();
  w.say(one, "lost");
  CHECK_THROWS(w.writer->whenWritten(one).wait(w.scope));
  CHECK_THROWS(w.say(one, "lost"));
  CHECK_THROWS(w.writer->whenWritten(one).wait(w.scope));
  w.writer->remove(one);
  w.writer->whenWritten(two).wait(w.scope);
  w.disk->awaitClosed(1);
}

}  // namespace
}  // namespace bothy
