#include "control/metering-facet.h"

#include <kj/debug.h>

namespace bothy {
namespace {

size_t limitOf(uint32_t asked) {
  return asked == 0 ? rpc::MAX_USAGE_RECORDS : kj::min(asked, rpc::MAX_USAGE_RECORDS);
}

void fill(rpc::UsageRecord::Builder told, const UsageRecord& record) {
  told.setNumber(record.number);
  told.setWorkspaceId(record.workspaceId);
  told.setWorkspace(record.workspace);
  told.setUser(record.user);
  told.setFromMillis(record.fromMillis);
  told.setUntilMillis(record.untilMillis);
  auto usage = told.initUsage();
  auto& sums = record.sums;
  usage.setRunningMillis(sums.runningMillis);
  usage.setPausedMillis(sums.pausedMillis);
  usage.setHibernatedMillis(sums.hibernatedMillis);
  usage.setStoppedMillis(sums.stoppedMillis);
  usage.setExpiredMillis(sums.expiredMillis);
  usage.setFailedMillis(sums.failedMillis);
  usage.setCpuMicros(sums.cpuMicros);
  usage.setMemoryMibMillis(sums.memoryMibMillis);
  usage.setDiskMibMillis(sums.diskMibMillis);
}

}  // namespace

static_assert(USAGE_RETENTION == int64_t{rpc::USAGE_DAYS} * kj::DAYS, "as the schema says");

kj::Promise<void> MeteringFacet::records(RecordsContext context) {
  auto params = context.getParams();
  auto choice = params.getChoice();
  UsageQuery query;
  query.after = params.getAfter();
  query.limit = limitOf(params.getLimit());
  query.workspace = kj::str(choice.getWorkspace());
  query.user = kj::str(choice.getUser());
  if (choice.getSinceMillis() != 0) query.sinceMillis = choice.getSinceMillis();
  if (choice.getUntilMillis() != 0) query.untilMillis = choice.getUntilMillis();
  auto page = co_await metering.records(kj::mv(query));
  auto results = context.getResults();
  auto list = results.initRecords(page.records.size());
  for (auto i : kj::indices(page.records)) fill(list[i], page.records[i]);
  results.setThrough(page.records.size() > 0 ? page.records.back().number : params.getAfter());
  results.setFirst(page.first);
  results.setMayGoOn(page.mayGoOn);
}

kj::Promise<void> MeteringFacet::open(OpenContext context) {
  auto params = context.getParams();
  auto open = co_await metering.open(kj::str(params.getAfter()), limitOf(params.getLimit()),
                                     kj::str(params.getWorkspace()), kj::str(params.getUser()));
  auto results = context.getResults();
  auto list = results.initRecords(open.records.size());
  for (auto i : kj::indices(open.records)) fill(list[i], open.records[i]);
  results.setNext(open.next);
  results.setThrough(open.through);
}

}  // namespace bothy
