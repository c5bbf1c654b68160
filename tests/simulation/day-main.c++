// tools/simulate day: what a day of a platform costs by an operator's prices.

#include <stdio.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/main.h>

#include "simulation/metered-day.h"

namespace bothy {
namespace {

class SimulateDay final {
public:
  explicit SimulateDay(kj::ProcessContext& context) : context(context) {}

  kj::MainFunc getMain() {
    return kj::MainBuilder(context, "bothy-simulate-day",
                           "Meters a day of a platform in virtual time, by the code that bothyd "
                           "meters with, and says what it costs, against as many machines that "
                           "always run.")
        .addOptionWithArg({"prices"}, KJ_BIND_METHOD(*this, setPrices), "FILE",
                          "What a processor second, a MiB of memory and a GiB of disk for a second "
                          "cost: see tests/simulation/example.prices.")
        .addOptionWithArg({"users"}, KJ_BIND_METHOD(*this, setUsers), "USERS",
                          "10000 if not given; one in twenty is active, one in five paused.")
        .callAfterParsing(KJ_BIND_METHOD(*this, run))
        .build();
  }

private:
  kj::ProcessContext& context;
  kj::Maybe<Prices> prices;
  DayPlan plan;

  kj::MainBuilder::Validity setPrices(kj::StringPtr path) {
    auto fs = kj::newDiskFilesystem();
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() {
                   auto text = fs->getRoot().openFile(fs->getCurrentPath().evalNative(path));
                   prices = parsePrices(text->readAllText());
                 })) {
      return kj::str(path, ": ", e->getDescription());
    }
    return true;
  }
  kj::MainBuilder::Validity setUsers(kj::StringPtr text) {
    constexpr uint32_t MOST_USERS = 100000;
    const auto users = text.tryParseAs<uint32_t>().orDefault(0);
    if (users < 20 || users > MOST_USERS) return kj::str("20 to ", MOST_USERS);
    plan.users = users;
    plan.running = users / 20;
    plan.paused = users / 5;
    return true;
  }
  kj::MainBuilder::Validity run() {
    if (prices == nullptr) return "--prices is missing";
    constexpr uint64_t SEED = 1;
    auto bill = simulateDay(SEED, plan);
    fputs(describe(plan, bill, KJ_ASSERT_NONNULL(prices)).cStr(), stdout);
    fflush(stdout);
    return true;
  }
};

}  // namespace
}  // namespace bothy

KJ_MAIN(bothy::SimulateDay)
