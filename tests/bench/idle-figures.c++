#include "bench/idle-figures.h"

#include "activity/test-activity-bed.h"

namespace bothy {
namespace {

constexpr size_t RUNNING = 10000;
constexpr size_t FEW = 100, MANY = 1000;
constexpr uint SAMPLES = 10;

// In microseconds for each that is due: from one second before to one second after it, among RUNNING workspaces that run.
double costOfOne(size_t due) {
  ActivityBed bed;
  IdlePolicy policy;
  policy.warnBefore = 0;
  kj::Vector<kj::Own<void>> visits;
  for (size_t i = 0; i < RUNNING; i++) {
    auto id = kj::str("w", i);
    bed.begin(id, policy);
    if (i >= due) visits.add(bed.come(id));
  }
  bed.pass(30 * kj::MINUTES - 1 * kj::SECONDS);
  const auto took = milliseconds([&]() { bed.pass(2 * kj::SECONDS); });
  KJ_REQUIRE(bed.at("w0").pauses.size() == 1);
  return took * 1000 / due;
}

}  // namespace

// The floor is the same with few: a cost in proportion to what is due is the same for each.
void measureIdleRules(kj::Vector<Row>& rows) {
  auto& row =
      addRow(rows, "pause of one idle workspace, 1,000 due among 10,000, to 100 due", "us", 1.5);
  for (uint i = 0; i < SAMPLES; i++) {
    row.floor.add(costOfOne(FEW));
    row.samples.add(costOfOne(MANY));
  }
}

}  // namespace bothy
