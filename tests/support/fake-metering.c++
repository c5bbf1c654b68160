#include "support/fake-metering.h"

namespace bothy {

class FakeMetering::Server final: public rpc::Metering::Server {
public:
  explicit Server(FakeMetering& fake) : fake(fake) {}

  kj::Promise<void> records(RecordsContext context) override {
    auto params = context.getParams();
    auto choice = params.getChoice();
    fake.workspace = kj::str(choice.getWorkspace());
    fake.user = kj::str(choice.getUser());
    fake.sinceMillis = choice.getSinceMillis();
    fake.untilMillis = choice.getUntilMillis();
    const auto begin = kj::min(params.getAfter(), fake.closed.size());
    const auto end = kj::min(begin + fake.page, fake.closed.size());
    auto results = context.getResults();
    auto list = results.initRecords(end - begin);
    for (auto i : kj::indices(list)) fill(list[i], fake.closed[begin + i], begin + i + 1);
    results.setThrough(end);
    results.setMayGoOn(end < fake.closed.size());
    return kj::READY_NOW;
  }

  kj::Promise<void> open(OpenContext context) override {
    auto list = context.getResults().initRecords(fake.open.size());
    for (auto i : kj::indices(list)) fill(list[i], fake.open[i], 0);
    context.getResults().setThrough(fake.closed.size() - fake.closedMeanwhile);
    return kj::READY_NOW;
  }

private:
  FakeMetering& fake;

  static void fill(rpc::UsageRecord::Builder told, const Record& record, uint64_t number) {
    told.setNumber(number);
    told.setWorkspaceId(record.id);
    told.setWorkspace(record.name);
    told.setFromMillis(record.fromMillis);
    told.setUntilMillis(record.untilMillis);
    auto usage = told.initUsage();
    usage.setRunningMillis(record.runningMillis);
    usage.setPausedMillis(record.pausedMillis);
    usage.setStoppedMillis(record.stoppedMillis);
    usage.setCpuMicros(record.cpuMicros);
    usage.setMemoryMibMillis(record.memoryMibMillis);
    usage.setDiskMibMillis(record.diskMibMillis);
  }
};

FakeMetering::FakeMetering() {
  open.add(Record{
      .id = "1", .name = "demo", .fromMillis = 0, .untilMillis = 1000, .runningMillis = 1000});
}

rpc::Metering::Client FakeMetering::metering() {
  return kj::heap<Server>(*this);
}

}  // namespace bothy
