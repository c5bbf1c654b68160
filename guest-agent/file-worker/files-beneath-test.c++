// Lanes for files beneath a directory.

#include <kj/debug.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "file-worker/file-worker-test-world.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

using Reason = rpc::FileFailure::Reason;
using Verb = rpc::Verb;

struct BeneathWorld: public FileWorkerWorld {
  BeneathWorld() {
    world.makeDirectory("home/shared");
    world.makeDirectory("home/shared/sub");
    world.write("home/shared/file", "shared");
    world.write("home/secret", "secret");
    KJ_SYSCALL(symlink("../secret", world.at("home/shared/up").cStr()));
    KJ_SYSCALL(symlink(world.at("home/secret").cStr(), world.at("home/shared/absolute").cStr()));
    KJ_SYSCALL(symlink("sub/../file", world.at("home/shared/within").cStr()));
    for (auto name : {"home/shared", "home/shared/sub"}) {
      KJ_SYSCALL(chown(world.at(name).cStr(), uid, -1));
    }
  }

  // None: it is there.
  kj::Maybe<Reason> statFailure(TestLane& lane, kj::StringPtr path) {
    auto request = lane.files().statRequest();
    request.setPath(path.asBytes());
    request.setFollowLinks(true);
    auto answer = request.send().wait(scope);
    if (answer.getOutcome().isEntry()) return nullptr;
    return answer.getOutcome().getFailed().getReason();
  }
  bool isAllowed(
      capnp::Request<rpc::Files::MakeDirectoryParams, rpc::Files::MakeDirectoryResults> request) {
    bool result = true;
    KJ_IF_MAYBE (refused, kj::runCatchingExceptions([&]() { request.send().wait(scope); })) {
      CHECK(refused->getType() == kj::Exception::Type::FAILED);
      result = false;
    }
    return result;
  }
};

TEST_CASE("S07 S25 a lane beneath a directory sees what is in it, and nothing else") {
  BeneathWorld w;
  auto lane = w.openBeneath("home/shared", {Verb::READ_BENEATH, Verb::WRITE_BENEATH});
  CHECK(w.statFailure(*lane, "file") == nullptr);
  CHECK(w.statFailure(*lane, "/file") == nullptr);
  CHECK(w.statFailure(*lane, "within") == nullptr);
  CHECK(w.statFailure(*lane, "sub/../file") == nullptr);
  CHECK(w.statFailure(*lane, w.world.at("home/shared/file")) == Reason::NOT_FOUND);
  for (auto path : {"../secret", "/../secret", "sub/../../secret", "..", "up", "absolute"}) {
    INFO(path);
    CHECK(w.statFailure(*lane, path) == Reason::OUTSIDE_ROOT);
  }
  CHECK(w.statFailure(*lane, "proc/self") == Reason::NOT_FOUND);
  auto home = lane->files().homeRequest().send().wait(w.scope);
  CHECK(kj::str(home.getPath().asChars()) == "/");
}

TEST_CASE("S07 S25 nothing is written, moved or removed outside of the directory of a lane") {
  BeneathWorld w;
  auto lane = w.openBeneath("home/shared", {Verb::READ_BENEATH, Verb::WRITE_BENEATH});
  auto files = lane->files();
  auto write = [&](kj::StringPtr path, bool followLinks) {
    auto request = files.writeRequest();
    request.setPath(path.asBytes());
    request.initOptions().setFollowLinks(followLinks);
    return request.send().wait(w.scope);
  };
  for (auto path : {"../new", "sub/../../new"}) {
    CHECK(write(path, false).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
  }
  for (auto path : {"up", "absolute"}) {
    CHECK(write(path, true).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
  }
  auto moved = files.moveRequest();
  moved.setFrom("file"_kj.asBytes());
  moved.setTo("../taken"_kj.asBytes());
  CHECK(moved.send().wait(w.scope).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
  auto removed = files.removeRequest();
  removed.setPath("../secret"_kj.asBytes());
  CHECK(removed.send().wait(w.scope).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
  auto import = files.importTreeRequest();
  import.setPath(".."_kj.asBytes());
  CHECK(import.send().wait(w.scope).getOutcome().getFailed().getReason() == Reason::OUTSIDE_ROOT);
  CHECK(w.world.read("home/secret") == "secret");
  CHECK_FALSE(w.world.has("home/new"));

  auto written = write("sub/new", false);
  REQUIRE(written.getOutcome().isDone());
  SinkWriter sink(written.getSink());
  sink.send("text"_kj.asBytes()).wait(w.scope);
  sink.end().wait(w.scope);
  CHECK(w.world.read("home/shared/sub/new") == "text");
}

TEST_CASE("S25 a lane beneath a directory that may read does not write") {
  BeneathWorld w;
  auto make = [](FileWorkerWorld::TestLane& lane) {
    auto request = lane.files().makeDirectoryRequest();
    request.setPath("made"_kj.asBytes());
    return request;
  };
  auto reading = w.openBeneath("home/shared", {Verb::READ_BENEATH});
  CHECK(w.statFailure(*reading, "file") == nullptr);
  CHECK_FALSE(w.isAllowed(make(*reading)));
  CHECK_FALSE(w.world.has("home/shared/made"));
  auto writing = w.openBeneath("home/shared", {Verb::READ_BENEATH, Verb::WRITE_BENEATH});
  CHECK(w.isAllowed(make(*writing)));
  CHECK(w.world.has("home/shared/made"));
}

TEST_CASE("S25 a lane beneath what is no directory is refused, and others of its worker are not") {
  BeneathWorld w;
  auto other = w.open();
  CHECK(w.answers(*other));
  for (auto name : {"home/shared/file", "home/missing"}) {
    INFO(name);
    auto lane = w.openBeneath(name, {Verb::READ_BENEATH});
    auto answer = lane->client->answer().wait(w.scope);
    CHECK(answer.get<LaneRefused>().why == rpc::Refusal::NO_SUCH_DIRECTORY);
    CHECK(w.until([&]() { return lane->hasEnded; }));
  }
  CHECK(w.answers(*other));
}

}  // namespace
}  // namespace bothy
