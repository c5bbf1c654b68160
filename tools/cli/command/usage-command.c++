#include <stdio.h>
#include <time.h>

#include "command/command.h"
#include "command/summed-usage.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "supervisor/repeated-question.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Shows what workspaces have had and taken: how long they ran, were paused and were at rest (stopped, hibernated, expired or
failed), the time of the host's processors, and memory and disk, each as its size times hours.  Memory counts while a workspace runs or is paused,
and the whole size of its disk as long as it exists.  Those that are deleted are shown, too, as long as their records are kept (90 days).

NAME is a workspace's name, which several may have had one after the other, or its id.  TIME is a day (`2026-11-30`) or hour (`2026-11-30T14`) in UTC,
or how long ago (`36h`, `7d`).)"_kj;

constexpr kj::StringPtr WORKSPACES = "workspace"_kj, DAYS = "day"_kj, HOURS = "hour"_kj;
constexpr kj::StringPtr ORDERS[] = {WORKSPACES, DAYS, HOURS};

int64_t unixMillisNow() {
  struct timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// MiB times milliseconds, as people count it.
kj::String sizeHours(int64_t mibMillis) {
  constexpr double HOUR_MILLIS = 3600 * 1000, OF_GIB = 1024 * HOUR_MILLIS;
  if (mibMillis == 0) return kj::str("-");
  const auto value = static_cast<double>(mibMillis);
  char text[64];
  const int size = value < OF_GIB ? snprintf(text, sizeof(text), "%.1f MiB h", value / HOUR_MILLIS)
                                  : snprintf(text, sizeof(text), "%.2f GiB h", value / OF_GIB);
  return kj::heapString(text, size);
}

kj::String timeOf(int64_t millis) {
  return millis == 0 ? kj::str("-") : formatDuration(millis * kj::MILLISECONDS);
}

class UsageCommand final: public Command {
public:
  UsageCommand() : Command({"usage", "show what workspaces have had and taken", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[--since TIME] [--until TIME] [--by workspace|day|hour] [--user USER] [NAME]");
    usage.describe(TEXT, "With --json: UsageSums of cli.capnp.");
    usage.option(0, "since", {"TIME"}, "only from then on (all that is kept)",
                 [this, &usage](kj::StringPtr value) { since = timeOf(usage, "since", value); });
    usage.option(0, "until", {"TIME"}, "only until then (now)",
                 [this, &usage](kj::StringPtr value) { until = timeOf(usage, "until", value); });
    usage.option(0, "by", {"WHAT", Value::Kind::WORDS, ORDERS},
                 "a line of each `workspace`, `day` or `hour` (workspace)",
                 [this, &usage](kj::StringPtr value) { order(usage, value); });
    usage.option(0, "user", {"USER"}, "only of workspaces of this user of the platform", user);
    usage.optionalOperand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    KJ_IF_MAYBE (end, until) {
      if (*end <= since.orDefault(INT64_MIN)) usage.fail("--until must be after --since");
    }
    co_await askUntilAnswered(context.timer, [this, &context] { return show(context); });
    co_return SUCCESS;
  }

private:
  kj::StringPtr name;
  kj::StringPtr user;
  kj::Maybe<int64_t> since;
  kj::Maybe<int64_t> until;
  SummedUsage::By by = SummedUsage::By::WORKSPACE;

  static int64_t timeOf(Usage& usage, kj::StringPtr option, kj::StringPtr value) {
    KJ_IF_MAYBE (millis, parseTimeOfUsage(value, unixMillisNow())) {
      if (*millis > 0) return *millis;
    }
    usage.fail(kj::str("--", option, " ", value,
                       ": it must be a day (2026-11-30), an hour (2026-11-30T14) or how long ago "
                       "(36h, 7d)"));
  }
  void order(Usage& usage, kj::StringPtr value) {
    if (value == WORKSPACES) {
      by = SummedUsage::By::WORKSPACE;
    } else if (value == DAYS) {
      by = SummedUsage::By::DAY;
    } else if (value == HOURS) {
      by = SummedUsage::By::HOUR;
    } else {
      usage.fail(kj::str("--by ", value, ": it must be one of ", kj::strArray(ORDERS, ", ")));
    }
  }

  // Of the workspaces up to one id: which records have nothing of what was open.
  struct OpenPage {
    kj::Maybe<kj::String> lastId;  // none: of all others
    uint64_t through;
  };
  static bool isOpen(kj::ArrayPtr<const OpenPage> open, rpc::UsageRecord::Reader record);
  kj::Promise<kj::Array<OpenPage>> addOpen(rpc::Metering::Client metering, SummedUsage& sums) const;
  kj::Promise<void> show(Context& context);
  void print(Context& context, kj::ArrayPtr<const SummedUsage::Sum* const> sums) const;
};

// What is in no record yet.  It is asked for first: what is closed meanwhile is known by its number.
kj::Promise<kj::Array<UsageCommand::OpenPage>> UsageCommand::addOpen(rpc::Metering::Client metering,
                                                                     SummedUsage& sums) const {
  kj::Vector<OpenPage> pages;
  for (kj::String after;;) {
    auto request = metering.openRequest();
    request.setAfter(after);
    request.setWorkspace(name);
    request.setUser(user);
    auto page = co_await request.send();
    for (auto record : page.getRecords()) sums.add(record);
    if (page.getNext().size() == 0) {
      pages.add(OpenPage{nullptr, page.getThrough()});
      co_return pages.releaseAsArray();
    }
    after = kj::str(page.getNext());
    pages.add(OpenPage{kj::str(after), page.getThrough()});
  }
}

bool UsageCommand::isOpen(kj::ArrayPtr<const OpenPage> open, rpc::UsageRecord::Reader record) {
  for (auto& page : open) {
    KJ_IF_MAYBE (last, page.lastId) {
      if (record.getWorkspaceId() > *last) continue;
    }
    return record.getNumber() > page.through;
  }
  return false;
}

kj::Promise<void> UsageCommand::show(Context& context) {
  auto link = context.connector.connect();
  auto metering = link->supervisor().meteringRequest().send().getMetering();
  SummedUsage sums(by, since.orDefault(INT64_MIN), until.orDefault(INT64_MAX));
  auto open = co_await addOpen(metering, sums);
  for (uint64_t after = 0;;) {
    auto request = metering.recordsRequest();
    request.setAfter(after);
    auto choice = request.initChoice();
    choice.setWorkspace(name);
    choice.setUser(user);
    choice.setSinceMillis(since.orDefault(0));
    choice.setUntilMillis(until.orDefault(0));
    auto page = co_await request.send();
    for (auto record : page.getRecords()) {
      if (!isOpen(open, record)) sums.add(record);
    }
    after = page.getThrough();
    if (!page.getMayGoOn()) break;
  }
  auto all = sums.all();
  if (context.console.wantsJson()) {
    context.console.print(jsonLine<result::UsageSums>([&](auto result) {
      auto list = result.initUsage(all.size());
      for (auto i : kj::indices(all)) all[i]->fill(list[i]);
    }));
  } else if (all.size() == 0) {
    context.console.note(name.size() == 0
                             ? kj::str("nothing was metered in this time")
                             : kj::str("nothing was metered of ", name, " in this time"));
  } else {
    print(context, all);
  }
}

void UsageCommand::print(Context& context, kj::ArrayPtr<const SummedUsage::Sum* const> sums) const {
  const bool isByWorkspace = by == SummedUsage::By::WORKSPACE;
  const kj::StringPtr headings[] = {isByWorkspace                ? "NAME"_kj
                                    : by == SummedUsage::By::DAY ? "DAY"_kj
                                                                 : "HOUR"_kj,
                                    "RUNNING",
                                    "PAUSED",
                                    "AT REST",
                                    "CPU",
                                    "MEMORY",
                                    "DISK"};
  Table table(headings);
  for (auto sum : sums) {
    const kj::String cells[] = {isByWorkspace                ? kj::str(sum->workspace)
                                : by == SummedUsage::By::DAY ? dayOf(sum->fromMillis)
                                                             : hourOf(sum->fromMillis),
                                bothy::timeOf(sum->runningMillis),
                                bothy::timeOf(sum->pausedMillis),
                                bothy::timeOf(sum->restMillis()),
                                bothy::timeOf(sum->cpuMicros / 1000),
                                sizeHours(sum->memoryMibMillis),
                                sizeHours(sum->diskMibMillis)};
    table.add(cells);
  }
  context.console.print(table.render());
}

}  // namespace

kj::Own<Command> usageCommand() {
  return kj::heap<UsageCommand>();
}

}  // namespace bothy
