// Rows that are damaged.

#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "store/sqlite-database.h"
#include "workspace/test-world.h"

namespace bothy {
namespace {

TEST_CASE("S16 a workspace whose row is damaged is failed, can be deleted, and hinders no other") {
  TestWorld w;
  w.manager->create(w.request("bad"), nullptr).wait(w.scope);
  w.manager->create(w.request("good"), nullptr).wait(w.scope);
  auto id = kj::str(w.find("bad")->row().id);
  SqliteDatabase(kj::str(w.directory, "/state.db"))
      .run("UPDATE workspaces SET rest=99 WHERE name='bad'");
  w.restart();
  w.settle();
  CHECK(w.find("good")->state() == WorkspaceState::RUNNING);
  CHECK(w.find("good")->machine() != nullptr);
  auto bad = w.find("bad");
  CHECK(bad->state() == WorkspaceState::FAILED);
  CHECK(strstr(bad->row().failure.cStr(), "state 99") != nullptr);
  // Nobody asked for its end.
  CHECK(w.driver.isRunning(id));
  auto started = bad->start(nullptr).wait(w.scope);
  auto& failure = KJ_ASSERT_NONNULL(started.get<kj::Own<StartReport>>()->failure);
  CHECK(strstr(failure.message.cStr(), "state 99") != nullptr);
  CHECK(bad->resize(8192).wait(w.scope).is<Workspace::ResizeFailure>());
  auto expired = bad->expire().wait(w.scope);
  CHECK(strstr(expired.get<Workspace::NotExpired>().why.cStr(), "state 99") != nullptr);
  CHECK(w.driver.isRunning(id));
  bad->erase().wait(w.scope);
  CHECK(w.manager->find("bad") == nullptr);
  CHECK_FALSE(w.driver.isRunning(id));
}

TEST_CASE("P28 a delete that a restart interrupts goes on though the row is damaged") {
  TestWorld w;
  w.manager->create(w.request("bad"), nullptr).wait(w.scope);
  auto id = kj::str(w.find("bad")->row().id);
  w.leave("bad", OperationKind::DELETE, DeleteOperation::FIRST_STEP);
  SqliteDatabase(kj::str(w.directory, "/state.db")).run("UPDATE workspaces SET cpus=-1");
  w.restart();
  w.settle();
  CHECK(w.manager->find("bad") == nullptr);
  CHECK_FALSE(w.driver.isRunning(id));
}

TEST_CASE("S20 the user id of a machine whose row is damaged is given to no other") {
  TestWorld w;
  w.manager->create(w.request("bad"), nullptr).wait(w.scope);
  auto uid = w.lease("bad").uid;
  auto damage = [&](kj::StringPtr sql) {
    SqliteDatabase(kj::str(w.directory, "/state.db")).run(sql);
    w.restart();
    w.settle();
    CHECK(w.find("bad")->state() == WorkspaceState::FAILED);
    CHECK(w.driver.running().size() == 1);
  };
  auto start = [&]() {
    w.manager->create(w.request("new", false), nullptr).wait(w.scope);
    auto outcome = w.find("new")->start(nullptr).wait(w.scope);
    return outcome.get<kj::Own<StartReport>>()->addRef();
  };
  SECTION("which can be read") {
    damage("UPDATE machines SET cid=-1");
    CHECK(start()->failure == nullptr);
    CHECK(w.lease("new").uid > uid);
    w.find("bad")->erase().wait(w.scope);
    CHECK(w.manager->find("bad") == nullptr);
  }
  SECTION("which the driver knows") {
    SECTION("since it is root's") {
      damage("UPDATE machines SET uid=0");
    }
    SECTION("since there is none") {
      damage("DELETE FROM machines");
    }
    CHECK(start()->failure == nullptr);
    CHECK(w.lease("new").uid > uid);
    w.find("bad")->erase().wait(w.scope);
    w.find("new")->stop(0).wait(w.scope);
    w.find("new")->start(nullptr).wait(w.scope);
    CHECK(w.lease("new").uid > uid);
  }
  SECTION("which nobody knows") {
    w.driver.recordsAreDamaged = true;
    damage("DELETE FROM machines");
    auto report = start();
    auto& failure = KJ_ASSERT_NONNULL(report->failure);
    CHECK(strstr(failure.message.cStr(), "workspace bad") != nullptr);
    w.find("bad")->erase().wait(w.scope);
    SECTION("the same bothyd") {}
    SECTION("the next one") {
      w.restart();
    }
    CHECK(w.find("new")->start(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure ==
          nullptr);
  }
}

TEST_CASE(
    "P57 a repeated request for a workspace that is damaged since is answered, console or not") {
  TestWorld w;
  w.agentAnswers = false;
  {
    auto dropped = w.manager->create(w.request("demo", true, "r"), nullptr);
    w.settle();
  }
  SqliteDatabase(kj::str(w.directory, "/state.db")).run("UPDATE operations SET kind='hibernate'");
  w.restart();
  w.files.console = kj::str("the last words");
  kj::StringPtr told = "the last words";
  SECTION("with its console") {}
  SECTION("whose console cannot be read") {
    w.files.isConsoleUnreadable = true;
    told = "";
  }
  auto outcome = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
  auto& failure = outcome.get<StartReport::Failure>();
  CHECK(strstr(failure.message.cStr(), "its operation cannot be resumed") != nullptr);
  CHECK(failure.console == told);
}

}  // namespace
}  // namespace bothy
