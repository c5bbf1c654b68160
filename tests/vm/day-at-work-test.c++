// What a person does in a fresh machine, and that it answers as a Debian does.  The tasks are in day-at-work/tasks.

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

constexpr kj::StringPtr MACHINE_ONLY = "machine: "_kj;
// A task that needs more is a fault; under TCG the longest takes some seconds.
constexpr auto TASK_LIMIT = 60 * kj::SECONDS;

struct Task {
  kj::String title;
  kj::String command;
  kj::String answer;

  bool needsMachine() const { return title.startsWith(MACHINE_ONLY); }
};

kj::Vector<kj::String> linesOf(kj::StringPtr text) {
  kj::Vector<kj::String> lines;
  size_t begin = 0;
  for (auto i : kj::indices(text)) {
    if (text[i] == '\n') {
      lines.add(kj::heapString(text.slice(begin, i)));
      begin = i + 1;
    }
  }
  return lines;
}

kj::Vector<Task> readTasks() {
  auto disk = kj::newDiskFilesystem();
  auto path = disk->getCurrentPath().evalNative(BOTHY_DAY_AT_WORK "/tasks");
  kj::Vector<Task> tasks;
  kj::Maybe<Task> task;
  auto finish = [&]() {
    KJ_IF_MAYBE (t, task) tasks.add(kj::mv(*t));
    task = nullptr;
  };
  for (auto& line : linesOf(disk->getRoot().openFile(path)->readAllText())) {
    if (line.size() == 0) {
      finish();
    } else KJ_IF_MAYBE (t, task) {
      if (t->command.size() == 0) {
        KJ_REQUIRE(line.startsWith("$ "), "the line behind a task's title begins with \"$ \"",
                   line);
        t->command = kj::str(line.slice(2));
      } else {
        t->answer = kj::str(t->answer, line, '\n');
      }
    } else if (!line.startsWith("#")) {
      task = Task{kj::mv(line), nullptr, kj::str()};
    }
  }
  finish();
  KJ_REQUIRE(tasks.size() >= 80, "the list of tasks was not read whole", tasks.size());
  return tasks;
}

TEST_CASE("a day at work: a fresh machine answers a person as a Debian 12 does") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  for (auto& task : readTasks()) {
    INFO(task.title.cStr());
    INFO(task.command.cStr());
    auto finished =
        host.wait(workspace.start({"/bin/bash"_kj, "-c"_kj, "exec 2>&1; exec bash -lc \"$1\""_kj,
                                   "start"_kj, task.command}),
                  task.title, TASK_LIMIT);
    auto code = finished.status == "exited 0" ? kj::str() : kj::str(finished.status, '\n');
    if (code.startsWith("exited ")) code = kj::str("exit ", code.slice(7));
    CHECK(kj::str(finished.out, code) == task.answer);
  }
}

TEST_CASE("a day at work: the expected answers are those of a Debian root in a chroot") {
  auto disk = kj::newDiskFilesystem();
  char name[] = "/tmp/bothy-day-at-work-XXXXXX";
  KJ_REQUIRE(mkdtemp(name) != nullptr);
  auto path = disk->getCurrentPath().evalNative(name);
  KJ_DEFER(disk->getRoot().remove(path));
  auto directory = disk->getRoot().openSubdir(path, kj::WriteMode::MODIFY);

  kj::Vector<Task> tasks;
  for (auto& task : readTasks()) {
    if (!task.needsMachine()) tasks.add(kj::mv(task));
  }
  for (auto i : kj::indices(tasks)) {
    directory->openFile(kj::Path(kj::str(i)), kj::WriteMode::CREATE)->writeAll(tasks[i].command);
  }
  hostOutput({BOTHY_DAY_AT_WORK "/in-chroot"_kj, BOTHY_IMAGES "/base/root.erofs"_kj, name});
  for (auto i : kj::indices(tasks)) {
    INFO(tasks[i].title.cStr());
    INFO(tasks[i].command.cStr());
    CHECK(directory->openFile(kj::Path(kj::str(i, ".out")))->readAllText() == tasks[i].answer);
  }
}

}  // namespace
}  // namespace bothy
