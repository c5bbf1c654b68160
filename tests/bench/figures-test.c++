#include "bench/figures.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

Row row(std::initializer_list<double> samples, std::initializer_list<double> floor) {
  Row result;
  result.name = kj::str("exec");
  result.unit = kj::str("ms");
  for (auto sample : samples) result.samples.add(sample);
  for (auto sample : floor) result.floor.add(sample);
  return result;
}

TEST_CASE("percentiles are samples, by nearest rank") {
  auto values = kj::arr(4.0, 1.0, 3.0, 2.0);
  CHECK(percentile(values, 0.5) == 2.0);
  CHECK(percentile(values, 0.99) == 4.0);
}

TEST_CASE("a goal is held against the ratio to the floor, or the value where there is none") {
  auto against = row({2, 2, 2}, {1, 1, 1});
  against.goal = 1.3;
  CHECK_FALSE(KJ_ASSERT_NONNULL(met(against)));
  against.goal = 2.0;
  CHECK(KJ_ASSERT_NONNULL(met(against)));

  auto alone = row({3}, {});
  alone.goal = 4;
  CHECK(KJ_ASSERT_NONNULL(met(alone)));
  CHECK(met(row({3}, {})) == nullptr);

  auto rare = row({1, 1, 5}, {});
  rare.goal = 4;
  CHECK(KJ_ASSERT_NONNULL(met(rare)));
  rare.goalOf = 0.99;
  CHECK_FALSE(KJ_ASSERT_NONNULL(met(rare)));

  auto rarer = row({1, 1, 5}, {1, 1, 2});
  rarer.goal = 2;
  CHECK(KJ_ASSERT_NONNULL(met(rarer)));
  rarer.goalOf = 0.99;
  CHECK(KJ_ASSERT_NONNULL(ratio(rarer)) == 2.5);
  CHECK_FALSE(KJ_ASSERT_NONNULL(met(rarer)));

  auto throughput = row({95}, {100});
  throughput.better = Row::Better::HIGHER;
  throughput.goal = 0.9;
  CHECK(KJ_ASSERT_NONNULL(met(throughput)));
}

TEST_CASE("the JSON form has null where there is no floor") {
  auto text = json(kj::arr(row({1}, {})));
  CHECK(text == R"({"rows":[{"name":"exec","unit":"ms","count":1,"p50":1,"p95":1,"p99":1,)"
                R"("floor":null,"ratio":null,"goal":null,"met":null}]})");
}

}  // namespace
}  // namespace bothy
