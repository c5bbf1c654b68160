#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

TEST_CASE("usage of a workspace is told to operators, and a record once to whoever asks on") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto metering = f.supervisor().meteringRequest().send().wait(f.scope).getMetering();
  auto open = metering.openRequest().send().wait(f.scope);
  REQUIRE(open.getRecords().size() <= 1);
  CHECK(open.getNext() == "");
  // On a slow host the real metering may have closed some by now.
  const auto closed = open.getThrough();

  for (uint64_t i = 1; i <= 3; i++) {
    UsageRecord record{closed + i, kj::str("id-", i), kj::str("name-", i), 10, 20, {}};
    record.user = kj::str("user-", i);
    record.sums = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    f.usage.closed.insert(closed + i, kj::mv(record));
  }
  auto request = metering.recordsRequest();
  request.setAfter(closed + 1);
  request.setLimit(1);
  auto page = request.send().wait(f.scope);
  REQUIRE(page.getRecords().size() == 1);
  auto record = page.getRecords()[0];
  CHECK((record.getNumber() == closed + 2 && record.getWorkspaceId() == "id-2"));
  CHECK((record.getWorkspace() == "name-2" && record.getFromMillis() == 10));
  auto usage = record.getUsage();
  CHECK((usage.getRunningMillis() == 1 && usage.getPausedMillis() == 2));
  CHECK((usage.getHibernatedMillis() == 3 && usage.getStoppedMillis() == 4));
  CHECK((usage.getExpiredMillis() == 5 && usage.getFailedMillis() == 6));
  CHECK((usage.getCpuMicros() == 7 && usage.getMemoryMibMillis() == 8));
  CHECK((usage.getDiskMibMillis() == 9 && record.getUntilMillis() == 20));
  CHECK(record.getUser() == "user-2");
  CHECK((page.getThrough() == closed + 2 && page.getFirst() == 1 && page.getMayGoOn()));

  auto of = metering.recordsRequest();
  of.initChoice().setWorkspace("name-3");
  auto last = of.send().wait(f.scope);
  REQUIRE(last.getRecords().size() == 1);
  CHECK((last.getRecords()[0].getNumber() == closed + 3 && !last.getMayGoOn()));
  auto ofUser = metering.recordsRequest();
  ofUser.initChoice().setUser("user-1");
  auto his = ofUser.send().wait(f.scope);
  REQUIRE(his.getRecords().size() == 1);
  CHECK(his.getRecords()[0].getNumber() == closed + 1);
  auto none = metering.recordsRequest();
  none.setAfter(closed + 3);
  CHECK(none.send().wait(f.scope).getThrough() == closed + 3);
}

}  // namespace
}  // namespace bothy
