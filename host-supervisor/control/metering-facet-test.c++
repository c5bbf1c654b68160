#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

TEST_CASE("usage of a workspace is told to operators, and a record once to whoever asks on") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto metering = f.supervisor().meteringRequest().send().wait(f.scope).getMetering();
  auto open = metering.openRequest().send().wait(f.scope);
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

TEST_CASE("what is in no record yet is told page by page, of all, of a workspace or of a user") {
  Fixture f;
  f.manager->create(f.request("demo"), nullptr).wait(f.scope);
  auto hers = f.request("hers", false);
  hers.user = kj::str("alice");
  f.manager->create(kj::mv(hers), nullptr).wait(f.scope);
  auto metering = f.supervisor().meteringRequest().send().wait(f.scope).getMetering();
  auto ask = [&](kj::StringPtr after, uint32_t limit, kj::StringPtr workspace = nullptr,
                 kj::StringPtr user = nullptr) {
    auto request = metering.openRequest();
    request.setAfter(after);
    request.setLimit(limit);
    request.setWorkspace(workspace);
    request.setUser(user);
    return request.send().wait(f.scope);
  };
  // Of a time that is not over yet there is nothing to be told: a millisecond of the host's must have passed.
  constexpr int MOST_TRIES = 10'000;
  for (int i = 0; i < MOST_TRIES && ask("", 0).getRecords().size() < 2; i++) {
    f.io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(f.scope);
  }
  auto all = ask("", 0);
  REQUIRE(all.getRecords().size() == 2);
  CHECK(all.getNext() == "");
  for (auto record : all.getRecords()) {
    const bool isHers = record.getWorkspace() == "hers";
    auto demo = f.find(isHers ? "hers" : "demo");
    CHECK(record.getNumber() == 0);
    CHECK(record.getWorkspaceId() == demo->row().id);
    CHECK(record.getUser() == (isHers ? "alice" : ""));
    const uint64_t took = record.getUntilMillis() - record.getFromMillis();
    auto usage = record.getUsage();
    CHECK(took > 0);
    CHECK(usage.getRunningMillis() + usage.getStoppedMillis() == took);
    CHECK((usage.getRunningMillis() > 0) == !isHers);
    CHECK(usage.getMemoryMibMillis() == usage.getRunningMillis() * demo->row().memoryMib);
    CHECK(usage.getDiskMibMillis() == took * demo->row().diskMib);
  }

  auto first = ask("", 1);
  REQUIRE(first.getRecords().size() == 1);
  REQUIRE(first.getNext() == first.getRecords()[0].getWorkspaceId());
  auto second = ask(first.getNext(), 1);
  REQUIRE(second.getRecords().size() == 1);
  CHECK(second.getRecords()[0].getWorkspaceId() != first.getNext());
  CHECK(ask(second.getNext(), 1).getRecords().size() == 0);

  auto one = ask("", 0, "demo");
  REQUIRE(one.getRecords().size() == 1);
  CHECK(one.getRecords()[0].getWorkspace() == "demo");
  auto alices = ask("", 0, nullptr, "alice");
  REQUIRE(alices.getRecords().size() == 1);
  CHECK(alices.getRecords()[0].getWorkspace() == "hers");
  CHECK(ask("", 0, "other").getRecords().size() == 0);
}

}  // namespace
}  // namespace bothy
