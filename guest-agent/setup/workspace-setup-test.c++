#include "setup/workspace-setup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <capnp/message.h>
#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "process/test-world.h"
#include "process/text-file.h"

namespace bothy {
namespace {

using Status = rpc::SetupStatus;

struct World: public TestWorld {
  capnp::MallocMessageBuilder message;
  rpc::Configuration::Builder configuration = message.initRoot<rpc::Configuration>();
  kj::Own<WorkspaceSetup> setup;
  kj::Duration limit = 1 * kj::MINUTES;

  World() : TestWorld(Trees::SESSIONS) { boot(); }
  ~World() noexcept(false) { setup = nullptr; }

  // As the agent of a new boot.
  void boot() {
    setup = kj::heap<WorkspaceSetup>(*programs, WorkspaceSetup::Disk::PRESENT, places());
  }
  SetupHelper::Directories places() {
    SetupHelper::Directories result{kj::str(directory, "/journal"), kj::str(directory, "/logs")};
    result.limit = limit;
    return result;
  }
  // Steps of the user's, each a script that may write into his home.
  void plan(kj::ArrayPtr<const kj::StringPtr> scripts, kj::StringPtr id = "one"_kj) {
    auto plan = configuration.initSetup();
    plan.setId(id);
    auto steps = plan.initSteps(scripts.size());
    for (auto i : kj::indices(scripts)) {
      steps[i].setName(kj::str("step ", i));
      auto argv = steps[i].initCommand().initArgv(3);
      argv.set(0, "/bin/sh");
      argv.set(1, "-c");
      argv.set(2, scripts[i]);
    }
  }
  void begin() { setup->configure(configuration); }

  struct Told {
    capnp::MallocMessageBuilder message;
    Status::Reader status;
  };
  kj::Own<Told> now() {
    auto told = kj::heap<Told>();
    auto builder = told->message.initRoot<Status>();
    setup->writeTo(builder);
    told->status = builder.asReader();
    return told;
  }
  kj::Own<Told> until(kj::FunctionParam<bool(Status::Reader)> isSo) {
    await([&]() { return isSo(now()->status); });
    return now();
  }
  kj::Own<Told> untilComplete() {
    return until([](Status::Reader s) { return s.isComplete(); });
  }
  kj::Own<Told> untilFailed() {
    return until([](Status::Reader s) { return s.isFailed(); });
  }
  // Empty where it is not there yet.
  kj::String home(kj::StringPtr name) { return readTextFile(path(name)); }
  void touch(kj::StringPtr name) { KJ_SYSCALL(mkdir(path(name).cStr(), 0755)); }
  kj::String newJournal() { return kj::str(directory, "/journal/journal.new"); }
  kj::String log(uint32_t step) { return readTextFile(kj::str(directory, "/logs/", step, ".log")); }
};

TEST_CASE("steps are done in order, once, and what they say is in their logs") {
  World w;
  w.plan({"echo one >> order; echo said"_kj, "echo two >> order; echo wrong >&2"_kj});
  w.begin();
  auto told = w.untilComplete();
  CHECK(told->status.getDone() == 2);
  CHECK(w.home("order") == "one\ntwo\n");
  CHECK(w.log(1) == "said\n");
  CHECK(w.log(2) == "wrong\n");
  // Said again, and after a reboot: nothing is done again.
  w.begin();
  w.boot();
  w.begin();
  CHECK(w.untilComplete()->status.getDone() == 2);
  CHECK(w.home("order") == "one\ntwo\n");
}

TEST_CASE("a step that fails stops there, also over a boot, until it is done again") {
  World w;
  w.plan({"echo one >> order"_kj, "echo try >> order; test -e mended || exit 7"_kj,
          "echo three >> order"_kj});
  w.begin();
  auto told = w.untilFailed();
  CHECK(told->status.getDone() == 1);
  CHECK(told->status.getFailed().getExited() == 7);
  w.boot();
  w.begin();
  told = w.untilFailed();
  CHECK(told->status.getFailed().getExited() == 7);
  CHECK(w.home("order") == "one\ntry\n");
  w.setup->retry();
  w.until([](Status::Reader s) { return s.isRunning(); });
  w.untilFailed();
  CHECK(w.home("order") == "one\ntry\ntry\n");
  KJ_SYSCALL(mkdir(w.path("mended").cStr(), 0755));
  w.setup->retry();
  w.untilComplete();
  CHECK(w.home("order") == "one\ntry\ntry\ntry\nthree\n");
  // Nothing has failed.
  w.setup->retry();
  CHECK(w.now()->status.isComplete());
}

TEST_CASE("P28 a step that was running when the machine ended is begun again, and none before it") {
  World w;
  w.plan({"echo one >> order"_kj, "echo two >> order; test -e again || exec sleep 1000"_kj});
  w.begin();
  w.await([&]() { return w.home("order") == "one\ntwo\n"; });
  // As an order to end the machine has it: the step's end by a signal is no failure of its own.
  w.setup->close();
  w.setup = nullptr;
  KJ_SYSCALL(mkdir(w.path("again").cStr(), 0755));
  w.boot();
  w.begin();
  w.untilComplete();
  CHECK(w.home("order") == "one\ntwo\ntwo\n");
}

TEST_CASE(
    "a step is told with the last line that it has said, not more often than some times a second") {
  World w;
  w.plan(
      {"for i in 1 2 3 4 5; do echo line $i; done; i=0; while test ! -e enough; do echo flood; done"_kj});
  w.begin();
  w.until([](Status::Reader s) { return s.isRunning() && s.getRunning() == "flood"; });
  const auto before = w.now()->status.getRevision();
  const auto begun = w.programs->timer.now();
  w.await([&]() { return w.now()->status.getRevision() >= before + 4; });
  CHECK(w.programs->timer.now() - begun >= 3 * 250 * kj::MILLISECONDS);
  KJ_SYSCALL(mkdir(w.path("enough").cStr(), 0755));
  w.untilComplete();
}

TEST_CASE("why a step has failed is told in each case") {
  World w;
  w.plan({"kill -9 $$"_kj});
  w.begin();
  CHECK(w.untilFailed()->status.getFailed().getKilled() == 9);

  w.boot();
  w.plan({"sleep 1000"_kj}, "two");
  w.configuration.getSetup().getSteps()[0].getCommand().setTimeoutMillis(50);
  w.begin();
  CHECK(w.untilFailed()->status.getFailed().isTimedOut());

  w.boot();
  w.plan({""_kj}, "three");
  w.configuration.getSetup().getSteps()[0].getCommand().initArgv(1).set(0, "no-such-program");
  w.begin();
  CHECK(w.untilFailed()->status.getFailed().getOther() ==
        "no-such-program: there is no such program (No such file or directory)");

  w.boot();
  w.plan({""_kj}, "four");
  auto file = w.configuration.getSetup().getSteps()[0].initFile();
  file.setPath("/tmp/x");
  file.setOwner("nobody-of-that-name");
  w.begin();
  CHECK(w.untilFailed()->status.getFailed().getOther() == "there is no user nobody-of-that-name");
}

TEST_CASE("a file is placed for its owner") {
  World w;
  w.plan({""_kj, "cat placed > copy"_kj});
  auto file = w.configuration.getSetup().getSteps()[0].initFile();
  file.setPath(w.path("placed"));
  file.setOwner("user");
  file.setMode(0600);
  file.setContent("words\n"_kj.asBytes());
  w.begin();
  w.untilComplete();
  CHECK(w.home("copy") == "words\n");
  struct stat status;
  REQUIRE(stat(w.path("placed").cStr(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(status.st_uid == w.uid);
}

TEST_CASE("nothing is told of a boot before its journal is read") {
  World w;
  w.plan({"true"_kj, "true"_kj});
  w.begin();
  w.untilComplete();
  w.boot();
  w.begin();
  CHECK(w.now()->status.isNothing());
  CHECK(w.now()->status.getRevision() == 0);
  w.until([](Status::Reader s) {
    CHECK((s.isNothing() || s.isComplete()));
    return s.isComplete();
  });
  CHECK(w.now()->status.getRevision() == 1);
}

TEST_CASE("P28 a step that the machine ends in again and again is not begun for ever") {
  World w;
  w.plan({"true"_kj, "echo turn >> order; test -e mended || exec sleep 1000"_kj});
  auto expected = kj::str("");
  for (kj::uint i = 0; i < rpc::MAX_SETUP_BEGINS; i++) {
    w.begin();
    expected = kj::str(expected, "turn\n");
    w.await([&]() { return w.home("order") == expected; });
    w.setup->close();
    w.boot();
  }
  w.begin();
  auto told = w.untilFailed();
  CHECK(told->status.getDone() == 1);
  CHECK(told->status.getFailed().getOther() ==
        "it has begun 3 times, and each time the machine has ended before it had");
  CHECK(w.home("order") == expected);
  w.touch("mended");
  w.setup->retry();
  w.untilComplete();
  CHECK(w.home("order") == kj::str(expected, "turn\n"));
}

TEST_CASE("a step that has ended well is not done again where that cannot be noted") {
  World w;
  w.plan({"echo one >> order; while test ! -e enough; do sleep 0.01; done"_kj,
          "echo two >> order"_kj});
  w.begin();
  w.await([&]() { return w.home("order") == "one\n"; });
  KJ_SYSCALL(mkdir(w.newJournal().cStr(), 0700));
  w.touch("enough");
  auto told = w.untilFailed();
  CHECK(told->status.getDone() == 0);
  CHECK(told->status.getFailed().getOther().startsWith("that it is done cannot be noted"));
  w.setup->retry();
  w.until([](Status::Reader s) { return s.isRunning(); });
  w.untilFailed();
  KJ_SYSCALL(rmdir(w.newJournal().cStr()));
  w.setup->retry();
  w.untilComplete();
  CHECK(w.home("order") == "one\ntwo\n");
}

TEST_CASE("one try is enough once what a step has come to can be noted again") {
  World w;
  w.plan({"echo try >> order; test -e mended || exit 7"_kj});
  w.begin();
  w.untilFailed();
  KJ_SYSCALL(mkdir(w.newJournal().cStr(), 0700));
  w.setup->retry();
  w.until([](Status::Reader s) { return s.isFailed() && s.getFailed().isOther(); });
  CHECK(w.now()->status.getFailed().getOther().startsWith(
      "that it is to be done again cannot be noted"));
  CHECK(w.home("order") == "try\n");
  KJ_SYSCALL(rmdir(w.newJournal().cStr()));
  w.touch("mended");
  w.setup->retry();
  w.untilComplete();
  CHECK(w.home("order") == "try\ntry\n");
}

TEST_CASE("a disk that hangs fails the set-up, which goes on when it is asked for") {
  World w;
  w.limit = 300 * kj::MILLISECONDS;
  w.boot();
  w.plan({"echo one >> order"_kj});
  KJ_SYSCALL(mkdir(kj::str(w.directory, "/journal").cStr(), 0700));
  // Whoever writes there waits.
  KJ_SYSCALL(mkfifo(w.newJournal().cStr(), 0600));
  w.begin();
  auto told = w.untilFailed();
  CHECK(told->status.getFailed().getOther() == "the workspace's disk does not answer");
  CHECK(w.home("order") == "");
  // The one that hangs ends.
  int end;
  KJ_SYSCALL(end = open(w.newJournal().cStr(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  kj::AutoCloseFd reader(end);
  KJ_SYSCALL(unlink(w.newJournal().cStr()));
  w.setup->retry();
  w.untilComplete();
  CHECK(w.home("order") == "one\n");
}

TEST_CASE("without a disk nothing is set up, and that is told") {
  World w;
  w.setup = kj::heap<WorkspaceSetup>(*w.programs, WorkspaceSetup::Disk::NONE, w.places());
  w.plan({"echo never > order"_kj});
  w.begin();
  auto told = w.untilFailed();
  CHECK(told->status.getFailed().getOther().startsWith("the workspace's disk cannot be used"));
  w.setup->retry();
  w.untilFailed();
}

TEST_CASE("variables of the configuration reach a step, and all that is started later") {
  World w;
  auto variables = w.configuration.initEnvironment(2);
  variables[0].setName("GREETING");
  variables[0].setValue("hello $HOME\n=");
  variables[1].setName("HOME");
  variables[1].setValue("/never");
  w.plan({"printf %s \"$GREETING\" > said; printf %s \"$HOME\" > home"_kj});
  w.begin();
  w.untilComplete();
  CHECK(w.home("said") == "hello $HOME\n=");
  CHECK(w.home("home") != "/never");
  auto user = KJ_ASSERT_NONNULL(w.programs->users.find("user"));
  auto environment = w.programs->environments.of(user);
  CHECK(KJ_ASSERT_NONNULL(environment.find("GREETING")) == "hello $HOME\n=");
}

TEST_CASE("other steps than those of this boot are refused") {
  World w;
  w.plan({"true"_kj});
  w.begin();
  w.plan({"false"_kj}, "two");
  CHECK(kj::runCatchingExceptions([&]() { w.begin(); }) != nullptr);
  w.untilComplete();
}

}  // namespace
}  // namespace bothy
