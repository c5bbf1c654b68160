#include "actions/piped-action-log.h"

#include <limits.h>
#include <signal.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "actions/action-file.h"
#include "process/test-world.h"
#include "process/text-file.h"

namespace bothy {
namespace {

struct World: public TestWorld {
  World() : TestWorld(Trees::SESSIONS) {}

  kj::String logs = kj::str(directory, "/log");
  kj::String text() { return readTextFile(kj::str(logs, "/", ACTION_FILE)); }
  // Of a process that runs, by a part of its command line.
  pid_t writer() {
    pid_t found = 0;
    for (auto& name :
         kj::newDiskFilesystem()->getRoot().openSubdir(kj::Path("proc"))->listNames()) {
      auto pid = name.tryParseAs<pid_t>();
      if (pid == nullptr) continue;
      auto line = readTextFile(kj::str("/proc/", name, "/cmdline"));
      auto words = kj::arrayPtr(line.begin(), line.size());
      const auto wanted = kj::str("--action-writer", '\0', logs);
      if (memmem(words.begin(), words.size(), wanted.begin(), wanted.size()) != nullptr) {
        found = KJ_ASSERT_NONNULL(pid);
      }
    }
    return found;
  }
};

TEST_CASE("actions are written by a process of their own, in order, and it ends with the machine") {
  World w;
  PipedActionLog log(*w.programs, w.logs);
  log.add(kj::str("one\n"));
  log.add(kj::str("two\n"));
  w.await([&]() { return w.text() == "one\ntwo\n"; });
  // As all are told that the machine ends.
  kill(w.writer(), SIGTERM);
  log.add(kj::str("three\n"));
  log.close();
  log.add(kj::str("never\n"));
  w.await([&]() { return w.text() == "one\ntwo\nthree\n"; });
  w.programs->reaper.onChildless().wait(w.scope);
  CHECK(w.text() == "one\ntwo\nthree\n");
}

TEST_CASE("a writer that stands still delays nobody, and what is lost is counted") {
  World w;
  PipedActionLog log(*w.programs, w.logs);
  log.add(kj::str("first\n"));
  w.await([&]() { return w.text() == "first\n"; });
  const auto writer = w.writer();
  kill(writer, SIGSTOP);
  constexpr int LINES = 1000;
  const auto line = kj::str(kj::repeat('x', PIPE_BUF / 8), "\n");
  for (int i = 0; i < LINES; i++) log.add(kj::str(line));
  kill(writer, SIGCONT);
  w.await([&]() { return w.text().size() > 64 * line.size(); });
  log.add(kj::str("last\n"));
  w.await([&]() { return w.text().endsWith("last\n"); });
  size_t written = 0;
  uint64_t lost = 0;
  auto text = w.text();
  Lines lines(text.asArray());
  for (auto next = lines.next(); next != nullptr; next = lines.next()) {
    auto words = kj::heapString(KJ_ASSERT_NONNULL(next));
    if (words.startsWith("xxx")) ++written;
    constexpr auto COUNT = "\"what\":\"lines lost\",\"lines\":"_kj;
    if (auto* at = strstr(words.cStr(), COUNT.cStr())) lost += atoll(at + COUNT.size());
  }
  CHECK(written > 0);
  CHECK(lost > 0);
  CHECK(written + lost == LINES);
}

TEST_CASE("a writer that was killed is replaced, and what it was not told is counted") {
  World w;
  PipedActionLog log(*w.programs, w.logs);
  log.add(kj::str("first\n"));
  w.await([&]() { return w.text() == "first\n"; });
  kill(w.writer(), SIGKILL);
  w.programs->reaper.onChildless().wait(w.scope);
  w.scope.poll();
  log.add(kj::str("lost\n"));
  // Not before RESTART_PAUSE.
  w.await([&]() {
    log.add(kj::str("tick\n"));
    return w.text().endsWith("tick\n");
  });
  CHECK(strstr(w.text().cStr(), "lines lost") != nullptr);
  CHECK(strstr(w.text().cStr(), "\nlost\n") == nullptr);
}

}  // namespace
}  // namespace bothy
