// tools/simulate: as many simulated worlds as one likes, or one of them again.

#include <stdio.h>

#include <kj/main.h>

#include "simulation/idle-days.h"
#include "simulation/metered-world.h"
#include "simulation/simulation.h"

namespace bothy {
namespace {

class Simulate final {
public:
  explicit Simulate(kj::ProcessContext& context) : context(context) {}

  kj::MainFunc getMain() {
    return kj::MainBuilder(
               context, "bothy-simulate",
               "Runs the life of workspaces in simulated worlds in which everything fails, one for "
               "each of SEEDS seeds, and ends at the first in which something is that must never "
               "be.")
        .addOptionWithArg({"first"}, KJ_BIND_METHOD(*this, setFirst), "SEED",
                          "The first seed; 1 if not given.")
        .addOptionWithArg({"seed"}, KJ_BIND_METHOD(*this, setSeed), "SEED",
                          "This seed and no other.")
        .addOption({"trace"}, KJ_BIND_METHOD(*this, setTrace),
                   "Prints all that happens; with --seed.")
        .addOptionWithArg({"crowd"}, KJ_BIND_METHOD(*this, setCrowd), "WORKSPACES",
                          "So many are there before each world begins, and many of them are "
                          "started at once.")
        .addOption({"idle"}, KJ_BIND_METHOD(*this, setIdle),
                   "Days of workspaces that nobody uses for a time, in the place of worlds.")
        .expectOptionalArg("SEEDS", KJ_BIND_METHOD(*this, setSeeds))
        .callAfterParsing(KJ_BIND_METHOD(*this, run))
        .build();
  }

private:
  kj::ProcessContext& context;
  uint64_t first = 1;
  uint64_t seeds = 0;
  uint64_t crowd = 0;
  bool single = false;
  bool traced = false;
  bool isIdle = false;

  kj::MainBuilder::Validity parse(kj::StringPtr text, uint64_t& number) {
    KJ_IF_MAYBE (value, text.tryParseAs<uint64_t>()) {
      number = *value;
      return true;
    }
    return "not a whole number";
  }
  kj::MainBuilder::Validity setFirst(kj::StringPtr text) { return parse(text, first); }
  kj::MainBuilder::Validity setSeeds(kj::StringPtr text) { return parse(text, seeds); }
  kj::MainBuilder::Validity setCrowd(kj::StringPtr text) { return parse(text, crowd); }
  kj::MainBuilder::Validity setSeed(kj::StringPtr text) {
    seeds = 1;
    single = true;
    return parse(text, first);
  }
  bool setIdle() {
    isIdle = true;
    return true;
  }
  bool setTrace() {
    traced = true;
    return true;
  }

  kj::MainBuilder::Validity run() {
    if (seeds == 0) return "how many seeds?";
    if (traced && !single) return "--trace wants one --seed";
    if (isIdle) return liveDays();
    auto& clock = kj::systemPreciseMonotonicClock();
    auto begin = clock.now();
    auto told = begin;
    Tally sum;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
      SimulationOptions options;
      options.crowd = crowd;
      if (traced) options.keep = Trace::Keep::ALL;
      auto result = simulate(seed, options);
      sum.add(result.tally);
      if (traced) print(result.trace);
      if (result.violation != nullptr) {
        if (traced) result.trace = nullptr;
        print(report(seed, result));
        context.exitError("something was that must never be");
      }
      KJ_IF_MAYBE (violation, simulateMetering(seed)) {
        print(kj::str("seed ", seed, ", metering: ", *violation, "\n"));
        context.exitError("something was metered that was not");
      }
      if (clock.now() - told >= 1 * kj::SECONDS) {
        told = clock.now();
        print(kj::str(sum.seeds, " of ", seeds, " seeds\n"));
      }
    }
    summarize(sum, clock.now() - begin);
    return true;
  }

  bool liveDays() {
    for (uint64_t seed = first; seed < first + seeds; seed++) {
      KJ_IF_MAYBE (violation, liveIdleDays(seed)) {
        print(kj::str("seed ", seed, ": ", *violation, "\n"));
        context.exitError("something was that must never be");
      }
    }
    print(kj::str(seeds, " seeds: all is well\n"));
    return true;
  }

  static void print(kj::StringPtr text) {
    fputs(text.cStr(), stdout);
    fflush(stdout);
  }

  void summarize(const Tally& sum, kj::Duration taken) {
    double seconds = (taken / kj::MILLISECONDS + 1) / 1000.0;
    for (size_t i = 0; i < FAULT_COUNT; i++) {
      if (sum.struck[i] == 0) continue;
      print(kj::str(sum.struck[i], " x ", static_cast<Fault>(i), "\n"));
    }
    for (size_t i = 0; i < STATE_COUNT; i++) {
      if (sum.killedIn[i] == 0) continue;
      print(kj::str(sum.killedIn[i], " x killed with a workspace ", static_cast<WorkspaceState>(i),
                    "\n"));
    }
    print(kj::str(sum.killedRecovering, " x killed before it served\n"));
    print(kj::str(sum.seeds, " seeds, ", sum.operations, " operations, ", sum.virtualSeconds / 3600,
                  " virtual hours: all is well\n", static_cast<uint64_t>(sum.seeds / seconds),
                  " seeds/s, ", static_cast<uint64_t>(sum.operations / seconds), " operations/s, ",
                  static_cast<uint64_t>(sum.virtualSeconds / seconds), " times real time\n"));
  }
};

}  // namespace
}  // namespace bothy

KJ_MAIN(bothy::Simulate)
