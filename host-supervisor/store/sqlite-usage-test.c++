#include <sys/stat.h>

#include "store/sqlite-fixture.h"
#include "store/usage-contract.h"

namespace bothy {
namespace {

TEST_CASE("the database of usage keeps the contract") {
  SqliteFixture f;
  auto store = openSqliteUsageStore(f.timer, f.path);
  UsageContract(f.scope, *store).check();
}

TEST_CASE("what was booked is there for the next process, and its number goes on") {
  SqliteFixture f;
  {
    auto store = openSqliteUsageStore(f.timer, f.path);
    UsageChange change;
    change.meters.add(UsageContract::meter("a", true));
    change.records.add(UsageContract::record(7, "a", 10));
    change.eventsThrough = 5;
    store->commit(kj::mv(change)).wait(f.scope);
  }
  auto store = openSqliteUsageStore(f.timer, f.path);
  auto stored = store->begin().wait(f.scope);
  CHECK((stored.lastNumber == 7 && stored.eventsThrough == 5 && stored.polled.size() == 1));
}

TEST_CASE("a state that this bothyd does not know is metered as one that takes its disk alone") {
  SqliteFixture f;
  {
    auto store = openSqliteUsageStore(f.timer, f.path);
    UsageChange change;
    auto row = UsageContract::meter("a", true);
    row.state = static_cast<WorkspaceState>(200);
    change.meters.add(kj::mv(row));
    store->commit(kj::mv(change)).wait(f.scope);
  }
  auto store = openSqliteUsageStore(f.timer, f.path);
  auto stored = store->begin().wait(f.scope);
  REQUIRE(stored.polled.size() == 1);
  CHECK(stored.polled[0].state == WorkspaceState::STOPPED);
}

TEST_CASE("a file that cannot be opened is the fault of each call, until it can") {
  SqliteFixture f;
  auto directory = kj::str(f.directory, "/later");
  auto store = openSqliteUsageStore(f.timer, kj::str(directory, "/usage.db"));
  auto begins = [&]() {
    return store->begin()
        .then([](StoredUsage) { return true; }, [](kj::Exception&&) { return false; })
        .wait(f.scope);
  };
  CHECK_FALSE(begins());
  KJ_SYSCALL(mkdir(directory.cStr(), 0700), directory);
  CHECK(begins());
}

}  // namespace
}  // namespace bothy
