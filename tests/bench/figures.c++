#include "bench/figures.h"

#include <capnp/compat/json.h>
#include <kj/debug.h>
#include <math.h>
#include <stdio.h>

#include <algorithm>

namespace bothy {

Row& addRow(kj::Vector<Row>& rows, kj::StringPtr name, kj::StringPtr unit, kj::Maybe<double> goal,
            Row::Better better) {
  rows.reserve(MOST_ROWS);
  KJ_REQUIRE(rows.size() < MOST_ROWS);
  auto& row = rows.add();
  row.name = kj::str(name);
  row.unit = kj::str(unit);
  row.goal = goal;
  row.better = better;
  return row;
}

double percentile(kj::ArrayPtr<const double> samples, double fraction) {
  KJ_REQUIRE(samples.size() > 0);
  auto sorted = kj::heapArray(samples);
  std::sort(sorted.begin(), sorted.end());
  size_t rank = ceil(fraction * sorted.size());
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

kj::Maybe<double> ratio(const Row& row) {
  if (row.floor.empty()) return nullptr;
  return percentile(row.samples, row.goalOf) / percentile(row.floor, row.goalOf);
}

kj::Maybe<bool> met(const Row& row) {
  KJ_IF_MAYBE (goal, row.goal) {
    double value = ratio(row).orDefault(percentile(row.samples, row.goalOf));
    return row.better == Row::Better::LOWER ? value <= *goal : value >= *goal;
  }
  return nullptr;
}

namespace {

kj::String number(double value) {
  char buffer[32];
  snprintf(buffer, sizeof(buffer), value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
  return kj::heapString(buffer);
}

kj::String numberOr(kj::Maybe<double> value, kj::StringPtr otherwise) {
  KJ_IF_MAYBE (v, value) {
    return number(*v);
  }
  return kj::heapString(otherwise);
}

kj::String percentileText(kj::ArrayPtr<const double> samples, double fraction) {
  return samples.size() == 0 ? kj::str("-") : number(percentile(samples, fraction));
}

}  // namespace

kj::String table(kj::ArrayPtr<const Row> rows) {
  kj::Vector<kj::String> lines;
  char buffer[256];
  auto line = [&](auto... cells) {
    snprintf(buffer, sizeof(buffer), "%-34s %-7s %6s %9s %9s %9s %9s %7s %7s %s", cells...);
    lines.add(kj::heapString(buffer));
  };
  line("what", "unit", "count", "p50", "p95", "p99", "floor", "ratio", "goal", "met");
  for (auto& row : rows) {
    kj::StringPtr verdict = "-"_kj;
    KJ_IF_MAYBE (isMet, met(row)) {
      verdict = *isMet ? "yes"_kj : "NO"_kj;
    }
    line(row.name.cStr(), row.unit.cStr(), kj::str(row.samples.size()).cStr(),
         percentileText(row.samples, 0.5).cStr(), percentileText(row.samples, 0.95).cStr(),
         percentileText(row.samples, 0.99).cStr(), percentileText(row.floor, row.goalOf).cStr(),
         numberOr(ratio(row), "-").cStr(), numberOr(row.goal, "-").cStr(), verdict.cStr());
  }
  return kj::strArray(lines, "\n");
}

kj::String json(kj::ArrayPtr<const Row> rows) {
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<capnp::JsonValue>().initObject(1);
  list[0].setName("rows");
  auto array = list[0].initValue().initArray(rows.size());
  for (auto i : kj::indices(rows)) {
    auto& row = rows[i];
    auto fields = array[i].initObject(10);
    uint next = 0;
    auto field = [&](kj::StringPtr name) {
      fields[next].setName(name);
      return fields[next++].initValue();
    };
    auto optional = [&](kj::StringPtr name, kj::Maybe<double> value) {
      KJ_IF_MAYBE (v, value) {
        field(name).setNumber(*v);
      } else {
        field(name).setNull();
      }
    };
    field("name").setString(row.name);
    field("unit").setString(row.unit);
    field("count").setNumber(row.samples.size());
    field("p50").setNumber(percentile(row.samples, 0.5));
    field("p95").setNumber(percentile(row.samples, 0.95));
    field("p99").setNumber(percentile(row.samples, 0.99));
    optional("floor",
             row.floor.empty() ? kj::Maybe<double>(nullptr) : percentile(row.floor, row.goalOf));
    optional("ratio", ratio(row));
    optional("goal", row.goal);
    KJ_IF_MAYBE (isMet, met(row)) {
      field("met").setBoolean(*isMet);
    } else {
      field("met").setNull();
    }
  }
  return capnp::JsonCodec().encodeRaw(message.getRoot<capnp::JsonValue>().asReader());
}

}  // namespace bothy
