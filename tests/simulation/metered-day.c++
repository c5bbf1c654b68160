#include "simulation/metered-day.h"

#include <stdio.h>
#include <stdlib.h>

#include "metering/test-host.h"
#include "simulation/fate.h"

namespace bothy {
namespace {

constexpr int64_t MINUTE_MILLIS = 60 * 1000, HOUR_MILLIS = 60 * MINUTE_MILLIS;
constexpr int64_t DAY_MILLIS = 24 * HOUR_MILLIS;
// Between two moments at which users come and go.
constexpr int64_t STEP_MILLIS = MINUTE_MILLIS;

kj::StringPtr trimmed(kj::StringPtr text, kj::String& room) {
  size_t begin = 0, end = text.size();
  while (begin < end && text[begin] == ' ') ++begin;
  while (end > begin && (text[end - 1] == ' ' || text[end - 1] == '\r')) --end;
  room = kj::str(text.slice(begin, end));
  return room;
}

class Day final {
public:
  Day(uint64_t seed, const DayPlan& plan) : plan(plan), fate(seed) {
    const uint32_t workspaces = plan.running + plan.paused;
    for (uint32_t i = 0; i < workspaces; i++) {
      auto& workspace = host.create(kj::str("w", 100000 + i), kj::str("id-", 100000 + i));
      workspace.memoryMib = plan.memoryMib;
      workspace.diskMib = plan.diskMib;
      host.run(workspace);
      all.add(&workspace);
    }
    host.advance(METERING_INTERVAL);
    for (uint32_t i = plan.running; i < workspaces; i++) pause(*all[i]);
  }

  DayBill run() {
    // Half of those who leave in an hour have come in it.
    const uint64_t mostChanging = kj::max(1u, plan.running * 2 / 60);
    for (int64_t at = 0; at < DAY_MILLIS; at += STEP_MILLIS) {
      for (uint64_t i = fate.below(mostChanging + 1); i > 0; i--) change();
      host.advance(STEP_MILLIS * kj::MILLISECONDS);
      work();
    }
    return bill();
  }

private:
  const DayPlan plan;
  Fate fate;
  TestHost host;
  kj::Vector<TestHost::Workspace*> all;
  int64_t worked = 0;

  void pause(TestHost::Workspace& workspace) {
    host.tell(workspace, WorkspaceState::PAUSING);
    host.tell(workspace, WorkspaceState::PAUSED);
  }
  // One user leaves, another comes.
  void change() {
    if (plan.running == 0 || plan.paused == 0) return;
    auto& leaving = all[fate.below(plan.running)];
    auto& coming = all[plan.running + fate.below(plan.paused)];
    pause(*leaving);
    host.tell(*coming, WorkspaceState::RESUMING);
    host.tell(*coming, WorkspaceState::RUNNING);
    std::swap(leaving, coming);
  }
  void work() {
    const int64_t micros = STEP_MILLIS * 1000 * plan.cpus * plan.usedPermille / 1000;
    for (uint32_t i = 0; i < plan.running; i++) all[i]->cpuMicros += micros;
    worked += micros * plan.running;
  }

  DayBill bill() {
    host.advance(METERING_INTERVAL);
    DayBill result;
    auto& metering = *KJ_ASSERT_NONNULL(host.metering);
    // First what is closed, which closes what is past: nothing happens between.
    for (uint64_t after = 0;;) {
      auto page = metering.records({after, 1000}).wait(host.scope);
      for (auto& record : page.records) {
        result.metered.add(record.sums);
        after = record.number;
        ++result.records;
      }
      if (!page.mayGoOn) break;
    }
    for (kj::String after;;) {
      auto open = metering.open(kj::mv(after), 1000, nullptr).wait(host.scope);
      for (auto& record : open.records) result.metered.add(record.sums);
      if (open.next.size() == 0) break;
      after = kj::mv(open.next);
    }
    result.looks = host.looks;
    auto& always = result.alwaysOn;
    always.runningMillis = DAY_MILLIS * plan.users;
    always.memoryMibMillis = always.runningMillis * plan.memoryMib;
    always.diskMibMillis = always.runningMillis * plan.diskMib;
    const int64_t idle = DAY_MILLIS * 1000 * (int64_t{plan.users} - plan.running) * plan.cpus *
                         plan.idlePermille / 1000;
    always.cpuMicros = worked + idle;
    return result;
  }
};

kj::String lineOf(kj::StringPtr what, const UsageSums& sums, const Prices& prices) {
  constexpr double HOURS = HOUR_MILLIS, GIB_HOURS = 1024.0 * HOUR_MILLIS;
  char line[256];
  const int size = snprintf(line, sizeof(line), "%-10s %10.0f %10.0f %10.0f %12.0f %12.0f %12.2f\n",
                            what.cStr(), static_cast<double>(sums.runningMillis) / HOURS,
                            static_cast<double>(sums.pausedMillis) / HOURS,
                            static_cast<double>(sums.cpuMicros) / (HOURS * 1000),
                            static_cast<double>(sums.memoryMibMillis) / GIB_HOURS,
                            static_cast<double>(sums.diskMibMillis) / GIB_HOURS, prices.of(sums));
  return kj::heapString(line, size);
}

}  // namespace

double Prices::of(const UsageSums& sums) const {
  return static_cast<double>(sums.cpuMicros) / 1e6 * cpuSecond +
         static_cast<double>(sums.memoryMibMillis) / 1e3 * memoryMibSecond +
         static_cast<double>(sums.diskMibMillis) / 1024 / 1e3 * diskGibSecond;
}

Prices parsePrices(kj::StringPtr text) {
  Prices prices;
  size_t number = 0;
  bool isGiven[3] = {};
  while (text.size() > 0) {
    ++number;
    const size_t end = text.findFirst('\n').orDefault(text.size());
    auto line = kj::str(text.slice(0, end));
    text = text.slice(kj::min(end + 1, text.size()));
    KJ_IF_MAYBE (comment, line.findFirst('#')) line = kj::str(line.slice(0, *comment));
    kj::String room, nameRoom, valueRoom;
    if (trimmed(line, room).size() == 0) continue;
    const size_t equals =
        KJ_REQUIRE_NONNULL(line.findFirst('='), "a price is `name = value`", number);
    auto name = trimmed(kj::str(line.slice(0, equals)), nameRoom);
    auto value = trimmed(line.slice(equals + 1), valueRoom);
    char* rest = nullptr;
    const double price = strtod(value.cStr(), &rest);
    KJ_REQUIRE(value.size() > 0 && *rest == 0 && price >= 0, "a price is a number, not below 0",
               number, value);
    auto set = [&](size_t i, double& target) { target = price, isGiven[i] = true; };
    if (name == "cpu-second") {
      set(0, prices.cpuSecond);
    } else if (name == "memory-mib-second") {
      set(1, prices.memoryMibSecond);
    } else if (name == "disk-gib-second") {
      set(2, prices.diskGibSecond);
    } else {
      KJ_FAIL_REQUIRE("a price is one of cpu-second, memory-mib-second, disk-gib-second", number,
                      name);
    }
  }
  KJ_REQUIRE(isGiven[0] && isGiven[1] && isGiven[2],
             "the prices of cpu-second, memory-mib-second and disk-gib-second are wanted");
  return prices;
}

DayBill simulateDay(uint64_t seed, const DayPlan& plan) {
  return Day(seed, plan).run();
}

kj::String describe(const DayPlan& plan, const DayBill& bill, const Prices& prices) {
  const double metered = prices.of(bill.metered), always = prices.of(bill.alwaysOn);
  char share[64];
  const int size =
      snprintf(share, sizeof(share), "%.1f %%", always > 0 ? metered * 100 / always : 0);
  const uint32_t workspaces = plan.running + plan.paused;
  return kj::str(
      "A day of ", plan.users, " users: ", workspaces, " have a workspace (", plan.cpus,
      " processors, ", plan.memoryMib, " MiB, a disk of ", plan.diskMib, " MiB), of which ",
      plan.running, " run and ", plan.paused, " are paused; ", plan.users - workspaces,
      " have none.\n\n",
      "             running h   paused h      CPU h  memory GiB h   disk GiB h         cost\n",
      lineOf("metered", bill.metered, prices), lineOf("always on", bill.alwaysOn, prices),
      "\nWhat is metered costs ", kj::heapString(share, size), " of ", plan.users,
      " machines that always run.  It was booked in ", bill.looks, " looks and ", bill.records,
      " records.\n");
}

}  // namespace bothy
