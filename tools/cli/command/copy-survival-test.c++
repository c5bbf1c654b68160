#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/copy-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

using Losing = FakeFiles::Losing;

TEST_CASE("P41 cp out of a workspace goes on where the loss of its lane stopped it") {
  CopyWorld world;
  auto text = longText();
  world.makeRemote("/big", text);
  auto& file = KJ_REQUIRE_NONNULL(world.supervisor.files.find("/big"_kj));
  auto path = world.path("big");
  for (kj::StringPtr target : {path.asPtr(), "-"_kj}) {
    INFO(target.cStr());
    world.supervisor.files.readsFrom.clear();
    file.stopsInTheMiddle = true;
    world.start({"cp", "demo:/big", target});
    world.settle();
    file.stopsInTheMiddle = false;
    world.supervisor.breakLanes();
    CHECK(world.wait() == SUCCESS);
    CHECK(world.supervisor.files.readsFrom.size() == 2);
    CHECK(world.supervisor.files.readsFrom.back() == 1000);
  }
  CHECK(world.local->openFile(kj::Path({"big"}))->readAllText() == text);
  CHECK(world.out() == text);
}

TEST_CASE("P09 cp says why its lane ended, and goes on") {
  CopyWorld world;
  world.makeRemote("/big", longText());
  auto& file = KJ_REQUIRE_NONNULL(world.supervisor.files.find("/big"_kj));
  file.stopsInTheMiddle = true;
  world.supervisor.laneEnd = rpc::LaneEnd::DEVICE_REPLACED;
  world.start({"cp", "demo:/big", "-"});
  world.settle();
  file.stopsInTheMiddle = false;
  world.supervisor.breakLanes();
  CHECK(world.wait() == SUCCESS);
  CHECK(world.out() == longText());
  CHECK(strstr(world.errors().cStr(), "the vsock device of demo has failed and is replaced") !=
        nullptr);
}

TEST_CASE("P41 a file that changed while the lane was lost is copied anew, or told") {
  CopyWorld world;
  world.makeRemote("/big", longText());
  auto interrupt = [&](kj::StringPtr target) {
    KJ_REQUIRE_NONNULL(world.supervisor.files.find("/big"_kj)).stopsInTheMiddle = true;
    world.start({"cp", "demo:/big", target});
    world.settle();
    world.supervisor.files.put("/big",
                               {.bytes = kj::heapArray("new"_kj.asBytes()), .modifiedNanos = 5});
    world.supervisor.breakLanes();
    return world.wait();
  };
  CHECK(interrupt(world.path("big")) == SUCCESS);
  CHECK(world.local->openFile(kj::Path({"big"}))->readAllText() == "new");
  world.makeRemote("/big", longText());
  CHECK(interrupt("-") == FAILURE);
  CHECK(strstr(world.errors().cStr(), "changed while the connection was lost") != nullptr);
}

TEST_CASE("P41 a file that is replaced between a look at it and its reading is never two in one") {
  CopyWorld world;
  auto replace = [&](kj::StringPtr with) {
    auto& file = KJ_REQUIRE_NONNULL(world.supervisor.files.find("/big"_kj));
    file.stopsInTheMiddle = false;
    file.replacement = kj::heap<FakeFiles::File>();
    file.replacement->bytes = kj::heapArray(with.asBytes());
  };
  auto newer = kj::str(kj::repeat('n', longText().size()));
  auto path = world.path("big");
  for (kj::StringPtr target : {path.asPtr(), "-"_kj}) {
    INFO(target.cStr());
    world.makeRemote("/big", longText());
    KJ_REQUIRE_NONNULL(world.supervisor.files.find("/big"_kj)).stopsInTheMiddle = true;
    world.start({"cp", "demo:/big", target});
    world.settle();
    replace(newer);
    world.supervisor.breakLanes();
    CHECK(world.wait() == (target == "-" ? FAILURE : SUCCESS));
  }
  CHECK(world.local->openFile(kj::Path({"big"}))->readAllText() == newer);
  CHECK(strstr(world.errors().cStr(), "a part of it is written") != nullptr);

  // A longer one is not cut where the shorter ended.
  world.makeRemote("/big", "short");
  replace(newer);
  CHECK(world.run({"cp", "demo:/big", world.path("big")}) == SUCCESS);
  CHECK(world.local->openFile(kj::Path({"big"}))->readAllText() == newer);
}

TEST_CASE("P41 cp into a workspace outlives the loss of its lane, but for standard input") {
  CopyWorld world;
  auto text = longText();
  world.local->openFile(kj::Path({"notes"}), kj::WriteMode::CREATE)->writeAll(text);
  world.supervisor.files.writesStall = true;
  world.start({"cp", world.path("notes"), "demo:copy"});
  world.settle();
  world.supervisor.files.writesStall = false;
  world.supervisor.breakLanes();
  CHECK(world.wait() == SUCCESS);
  CHECK(KJ_REQUIRE_NONNULL(world.remote("/home/user/copy")) == text);

  world.start({"cp", "-", "demo:/y"});
  world.type("half");
  world.supervisor.breakLanes();
  world.closeInput();
  CHECK(world.wait() == FAILURE);
  CHECK(world.remote("/y") == nullptr);
  CHECK(strstr(world.errors().cStr(), "cannot be read again") != nullptr);
}

TEST_CASE("P41 cp of standard input that pauses notices the loss of its lane") {
  CopyWorld world;
  world.start({"cp", "-", "demo:/y"});
  world.type("half");
  world.supervisor.breakLanes();
  world.advance(1 * kj::SECONDS);
  REQUIRE(world.isDone());
  CHECK(world.wait() == FAILURE);
  CHECK(strstr(world.errors().cStr(), "cannot be read again") != nullptr);
}

// Copies, and loses the connection when all was sent, with the end or its answer: the exit code.
int copyWithLoss(CopyWorld& world, kj::StringPtr from, kj::StringPtr to, Losing losing,
                 kj::StringPtr input = "") {
  auto& files = world.supervisor.files;
  files.losing = losing;
  auto ended = files.writesEnded;
  world.start({"cp", from, to});
  if (from == "-") {
    world.type(input);
    world.closeInput();
  }
  // A tree is packed in a thread of its own.
  while (files.writesEnded == ended) world.settle();
  files.losing = Losing::NOTHING;
  world.supervisor.breakLanes();
  return world.wait();
}

TEST_CASE("P41 a file or symlink whose answer was lost is copied again, to the same place") {
  CopyWorld world;
  auto text = longText();
  world.local->openFile(kj::Path({"notes"}), kj::WriteMode::CREATE)->writeAll(text);
  KJ_SYSCALL(chmod(world.path("notes").cStr(), 0440));
  world.local->symlink(kj::Path({"link"}), "/over/there", kj::WriteMode::CREATE);
  world.supervisor.files.put("/home/user", {.bytes = nullptr, .directory = true});
  for (auto losing : {Losing::END, Losing::ANSWER}) {
    auto before = world.supervisor.files.writesEnded;
    CHECK(copyWithLoss(world, world.path("notes"), "demo:", losing) == SUCCESS);
    CHECK(copyWithLoss(world, world.path("link"), "demo:", losing) == SUCCESS);
    CHECK(world.supervisor.files.writesEnded == before + 4);
  }
  CHECK(world.errors() == "");
  auto& notes = KJ_REQUIRE_NONNULL(world.supervisor.files.find("/home/user/notes"_kj));
  CHECK(notes.bytes == text.asBytes());
  CHECK(notes.mode == 0440);
  auto& link = KJ_REQUIRE_NONNULL(world.supervisor.files.find("/home/user/link"_kj));
  CHECK(KJ_REQUIRE_NONNULL(link.linkTarget) == "/over/there");
}

TEST_CASE("P41 a tree whose answer was lost does not go into what its first try made") {
  CopyWorld world;
  world.local->openSubdir(kj::Path({"d"}), kj::WriteMode::CREATE);
  CHECK(copyWithLoss(world, world.path("d"), "demo:/new", Losing::ANSWER) == SUCCESS);
  CHECK(world.supervisor.files.find("/new"_kj) != nullptr);
  CHECK(world.supervisor.files.find("/new/d"_kj) == nullptr);
}

// A tree of which the fake workspace makes a directory with its mode and time.
void makeMarkedTree(CopyWorld& world) {
  auto tree = world.local->openSubdir(kj::Path({"d"}), kj::WriteMode::CREATE);
  tree->openFile(kj::Path({"f"}), kj::WriteMode::CREATE)->writeAll("12345");
  const timespec times[2] = {{0, UTIME_OMIT}, {1, 500'000'000}};
  KJ_SYSCALL(utimensat(AT_FDCWD, world.path("d").cStr(), times, 0));
  KJ_SYSCALL(chmod(world.path("d").cStr(), 0555));
  world.supervisor.files.treeMode = 0555;
  world.supervisor.files.treeModifiedNanos = 1'500'000'000;
}

TEST_CASE("P41 a tree that has its place is not copied again when its answer was lost") {
  CopyWorld world;
  makeMarkedTree(world);
  CHECK(copyWithLoss(world, world.path("d"), "demo:/d", Losing::ANSWER) == SUCCESS);
  CHECK(world.supervisor.files.importsEnded == 1);

  // One whose end did not come is; and so is one into a directory like it that stands as it stood.
  CHECK(copyWithLoss(world, world.path("d"), "demo:/e", Losing::END) == SUCCESS);
  CHECK(world.supervisor.files.importsEnded == 3);
  world.supervisor.files.put(
      "/f/d", {.bytes = nullptr, .mode = 0555, .directory = true, .modifiedNanos = 1'500'000'000});
  world.supervisor.files.put("/f", {.bytes = nullptr, .directory = true});
  CHECK(copyWithLoss(world, world.path("d"), "demo:/f", Losing::END) == SUCCESS);
  CHECK(world.supervisor.files.importsEnded == 5);
  KJ_SYSCALL(chmod(world.path("d").cStr(), 0755));
}

TEST_CASE("P41 standard input that has its place is no failure when its answer was lost") {
  {
    CopyWorld world;
    world.makeRemote("/y", "old text");
    CHECK(copyWithLoss(world, "-", "demo:/y", Losing::ANSWER, "new text") == SUCCESS);
    CHECK(KJ_REQUIRE_NONNULL(world.remote("/y")) == "new text");
    CHECK(world.errors() == "");
  }
  CopyWorld world;
  world.makeRemote("/y", "old text");
  CHECK(copyWithLoss(world, "-", "demo:/y", Losing::END, "new text") == FAILURE);
  CHECK(KJ_REQUIRE_NONNULL(world.remote("/y")) == "old text");
  CHECK(strstr(world.errors().cStr(), "whether demo:/y was written is not known") != nullptr);
}

// Calls `run` with every number of messages after which the first lane breaks, and once with none that does.
void cutEverywhere(kj::FunctionParam<void(CopyWorld& world)> run) {
  bool wasWhole = false;
  for (kj::uint messages = 0; !wasWhole; ++messages) {
    REQUIRE(messages < 100);
    INFO("the first lane is cut after " << messages << " messages");
    CopyWorld world;
    world.supervisor.cuts.add(messages);
    run(world);
    wasWhole = world.supervisor.lanes == 1;
  }
}

// Lets time pass until the copy has ended; its exit code.
int waitThrough(CopyWorld& world) {
  for (int i = 0; i < 1000 && !world.isDone(); ++i) world.advance(100 * kj::MILLISECONDS);
  REQUIRE(world.isDone());
  return world.wait();
}

TEST_CASE("P41 wherever the lane breaks, a file is copied into a workspace whole") {
  auto text = longText();
  cutEverywhere([&](CopyWorld& world) {
    world.local->openFile(kj::Path({"f"}), kj::WriteMode::CREATE)->writeAll(text);
    world.start({"cp", world.path("f"), "demo:/f"});
    CHECK(waitThrough(world) == SUCCESS);
    CHECK(KJ_REQUIRE_NONNULL(world.remote("/f")) == text);
    CHECK(world.errors() == "");
  });
}

TEST_CASE("P41 wherever the lane breaks, cp says of standard input no more than it knows") {
  cutEverywhere([](CopyWorld& world) {
    world.makeRemote("/y", "old text");
    world.start({"cp", "-", "demo:/y"});
    world.type("new text");
    world.closeInput();
    auto code = waitThrough(world);
    auto told = world.errors();
    auto written = KJ_REQUIRE_NONNULL(world.remote("/y"));
    INFO(told.cStr());
    if (code == SUCCESS) {
      CHECK(written == "new text");
    } else if (strstr(told.cStr(), "nothing was written") != nullptr) {
      CHECK(written == "old text");
    } else {
      CHECK(strstr(told.cStr(), "whether demo:/y was written is not known") != nullptr);
      CHECK(written == "old text");
    }
  });
}

TEST_CASE("P41 wherever bothyd is killed, cp copies both ways, and says no word") {
  auto text = longText();
  bool wasWhole = false;
  for (kj::uint messages = 0; !wasWhole; ++messages) {
    REQUIRE(messages < 100);
    INFO("bothyd is killed after " << messages << " messages");
    CopyWorld world;
    auto& supervisor = world.supervisor;
    world.makeRemote("/in", text);
    for (int copies = 0; copies < 3; ++copies) {
      while (supervisor.supervisorCuts.size() < supervisor.connections) {
        supervisor.supervisorCuts.add(FakeSupervisorConnection::NEVER);
      }
      supervisor.supervisorCuts.add(messages);
      switch (copies) {
        case 0:
          world.start({"cp", "demo:/in", world.path("f")});
          break;
        case 1:
          world.start({"cp", world.path("f"), "demo:/out"});
          break;
        default:
          world.start({"cp", "-", "demo:/typed"});
          world.type("typed");
          world.closeInput();
      }
      CHECK(waitThrough(world) == SUCCESS);
    }
    wasWhole = supervisor.kills == 0;
    CHECK(KJ_REQUIRE_NONNULL(world.remote("/out")) == text);
    CHECK(KJ_REQUIRE_NONNULL(world.remote("/typed")) == "typed");
    CHECK(world.errors() == "");
  }
}

TEST_CASE("P41 cp of standard input does not notice that bothyd restarts") {
  CopyWorld world;
  world.start({"cp", "-", "demo:/y"});
  world.type("half");
  world.supervisor.down = true;
  world.supervisor.breakSupervisor();
  world.settle();
  for (int i = 0; i < 100; ++i) world.advance(1 * kj::MINUTES);
  world.type(" whole");
  world.closeInput();
  CHECK(world.wait() == SUCCESS);
  CHECK(KJ_REQUIRE_NONNULL(world.remote("/y")) == "half whole");
  CHECK(world.errors() == "");
  CHECK(world.supervisor.connections == 1);
}

}  // namespace
}  // namespace bothy
