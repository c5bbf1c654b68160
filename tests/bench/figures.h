#pragma once

#include <kj/string.h>
#include <kj/time.h>
#include <kj/vector.h>

namespace bothy {

// What is measured: samples, compared with a floor or a peer measured in the same run.
struct Row {
  enum class Better { LOWER, HIGHER };

  kj::String name;
  kj::String unit;
  Better better = Better::LOWER;
  kj::Vector<double> samples;
  kj::Vector<double> floor;  // empty: no floor
  kj::Maybe<double> goal;    // of the ratio to the floor; of the value where there is no floor
  // The fraction of the samples, and of the floor, whose percentile is compared and held against the goal.
  double goalOf = 0.5;
};

// Adds an empty row.  It stays where it is, whatever is added later, up to MOST_ROWS of them.
Row& addRow(kj::Vector<Row>& rows, kj::StringPtr name, kj::StringPtr unit,
            kj::Maybe<double> goal = nullptr, Row::Better better = Row::Better::LOWER);
constexpr size_t MOST_ROWS = 96;

// How long a call takes.
template <typename Function>
double milliseconds(Function&& function) {
  auto& clock = kj::systemPreciseMonotonicClock();
  auto begin = clock.now();
  function();
  return (clock.now() - begin) / kj::NANOSECONDS / 1e6;
}

// The sample below which `fraction` of them lie (nearest rank).
double percentile(kj::ArrayPtr<const double> samples, double fraction);

// The samples over the floor, of each the percentile that `goalOf` says; nullptr without a floor.
kj::Maybe<double> ratio(const Row& row);
// Whether the goal is met; nullptr without a goal.
kj::Maybe<bool> met(const Row& row);

// A table for people.
kj::String table(kj::ArrayPtr<const Row> rows);
// {"rows":[{name, unit, count, p50, p95, p99, floor, ratio, goal, met}…]}
kj::String json(kj::ArrayPtr<const Row> rows);

}  // namespace bothy
