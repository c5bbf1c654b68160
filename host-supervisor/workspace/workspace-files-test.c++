#include "workspace/workspace-files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "loop/worker-thread.h"

namespace bothy {
namespace {

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  char directory[32] = "/tmp/bothy-files-XXXXXX";
  kj::Own<DiskWorkspaceFiles> files;

  World() {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    serve(kj::heap<WorkerThread>(timer, "the disk"));
  }
  ~World() noexcept(false) {
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(directory).slice(1)));
  }
  void serve(kj::Own<Worker> disk) {
    files = kj::heap<DiskWorkspaceFiles>(kj::mv(disk), directory, directory);
  }
  bool has(kj::StringPtr path) { return access(path.cStr(), F_OK) == 0; }
};

TEST_CASE("files of machines that nobody knows are removed, and each is asked about once") {
  World w;
  for (auto id : {"known", "both", "log", "directory"}) w.files->prepare(id).wait(w.scope);
  KJ_SYSCALL(rmdir(w.files->paths("log").runtimeDir.cStr()));
  KJ_SYSCALL(unlink(w.files->paths("directory").consoleLog.cStr()));
  size_t questions = 0;
  auto removing = w.files->removeStrays([&](kj::StringPtr id) {
    questions++;
    return id == "known";
  });
  auto removed = removing.wait(w.scope);
  std::sort(removed.begin(), removed.end());
  REQUIRE(removed.size() == 3);
  CHECK((removed[0] == "both" && removed[1] == "directory" && removed[2] == "log"));
  // A directory and a log of each.
  CHECK(questions == 6);
  auto kept = w.files->paths("known");
  CHECK((w.has(kept.runtimeDir) && w.has(kept.consoleLog)));
  for (auto& id : removed) {
    auto gone = w.files->paths(id);
    CHECK_FALSE((w.has(gone.runtimeDir) || w.has(gone.consoleLog)));
  }
}

TEST_CASE("P29 files of a machine that cannot be removed keep no others, and no plain file does") {
  World w;
  w.files->prepare("later").wait(w.scope);
  auto undeletable = w.files->paths("before").consoleLog;
  KJ_SYSCALL(mkdir(undeletable.cStr(), 0700));
  auto plain = w.files->paths("file").runtimeDir;
  std::ofstream(plain.cStr()) << "no directory";
  auto removed = w.files->removeStrays([](kj::StringPtr) { return false; }).wait(w.scope);
  std::sort(removed.begin(), removed.end());
  REQUIRE(removed.size() == 2);
  CHECK((removed[0] == "file" && removed[1] == "later"));
  CHECK(w.has(undeletable));
  CHECK_FALSE((w.has(plain) || w.has(w.files->paths("later").runtimeDir)));
}

TEST_CASE("P30 the end of a console is read, and there is none before the first boot") {
  World w;
  CHECK(w.files->consoleEnd("one").wait(w.scope) == "");
  w.files->prepare("one").wait(w.scope);
  std::ofstream(w.files->paths("one").consoleLog.cStr()) << "last words";
  CHECK(w.files->consoleEnd("one").wait(w.scope) == "last words");
  // The next boot's.
  w.files->prepare("one").wait(w.scope);
  CHECK(w.files->consoleEnd("one").wait(w.scope) == "");
}

// A disk that does nothing until it is told to.
class SlowDisk final: public Worker {
public:
  explicit SlowDisk(kj::Vector<kj::Own<Job>>& jobs) : jobs(jobs) {}
  using Worker::Job;

  static void goOn(kj::Vector<kj::Own<Job>>& jobs) {
    for (auto& job : jobs) job->run();
    jobs.clear();
  }

private:
  kj::Vector<kj::Own<Job>>& jobs;

  void add(kj::Own<Job> job) override { jobs.add(kj::mv(job)); }
  kj::Promise<void> overdue(kj::String, kj::Duration) override { return kj::NEVER_DONE; }
};

TEST_CASE("S01 who asks for a console again and again fills no queue that starts wait in") {
  World w;
  w.files->prepare("one").wait(w.scope);
  std::ofstream(w.files->paths("one").consoleLog.cStr()) << "last words";
  kj::Vector<kj::Own<SlowDisk::Job>> jobs;
  w.serve(kj::heap<SlowDisk>(jobs));
  kj::Vector<kj::Promise<kj::String>> asked;
  for (int i = 0; i < 2000; i++) asked.add(w.files->consoleEnd("one"));
  // Who gives up takes nobody else's answer.
  {
    auto givenUp = kj::mv(asked[0]);
  }
  auto another = w.files->consoleEnd("another");
  CHECK(jobs.size() == 2);
  // Whoever asks from here on means the next boot's.
  auto preparing = w.files->prepare("one");
  auto later = w.files->consoleEnd("one");
  CHECK(jobs.size() == 4);
  SlowDisk::goOn(jobs);
  for (auto& end : asked.slice(1, asked.size())) CHECK(end.wait(w.scope) == "last words");
  CHECK(another.wait(w.scope) == "");
  preparing.wait(w.scope);
  CHECK(later.wait(w.scope) == "");
  // One that is over is not answered with again.
  std::ofstream(w.files->paths("one").consoleLog.cStr()) << "other words";
  auto last = w.files->consoleEnd("one");
  SlowDisk::goOn(jobs);
  CHECK(last.wait(w.scope) == "other words");
}

}  // namespace
}  // namespace bothy
