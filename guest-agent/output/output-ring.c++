#include "output/output-ring.h"

#include <kj/debug.h>

#include "output/output-budget.h"

namespace bothy {

OutputRing::OutputRing(OutputBudget& budget, Sizes sizes)
    : budget(budget), sizes(sizes), tail(ByteTail(sizes.most)) {
  KJ_REQUIRE(sizes.least <= sizes.most);
  budget.add(*this);
}

OutputRing::~OutputRing() noexcept(false) {
  budget.remove(*this);
}

uint64_t OutputRing::begin() const {
  KJ_IF_MAYBE (kept, tail) {
    return kept->begin();
  }
  return counted;
}

uint64_t OutputRing::end() const {
  KJ_IF_MAYBE (kept, tail) {
    return kept->end();
  }
  return counted;
}

void OutputRing::append(kj::ArrayPtr<const kj::byte> data) {
  if (data.size() == 0) return;
  KJ_IF_MAYBE (kept, tail) {
    growFor(*kept, data.size());
    kept->append(data);
  } else {
    counted += data.size();
  }
}

void OutputRing::copy(uint64_t sequence, kj::ArrayPtr<kj::byte> target) const {
  KJ_REQUIRE_NONNULL(tail, "the output was dropped").copy(sequence, target);
}

size_t OutputRing::makeRoomAfter(uint64_t position, size_t wanted) {
  KJ_IF_MAYBE (kept, tail) {
    const size_t needed = kept->end() - kj::max(position, kept->begin());
    if (needed + wanted > granted) growFor(*kept, wanted);
    return granted > needed ? kj::min(wanted, granted - needed) : 0;
  }
  return wanted;
}

void OutputRing::growFor(ByteTail& kept, size_t bytes) {
  const auto wanted = kj::min(kept.sizeWith(bytes), sizes.most);
  if (wanted <= granted || deniedAt == budget.releases) return;
  const auto before = budget.releases;
  granted = budget.grow(*this, wanted);
  if (granted < wanted) deniedAt = before;
  kept.limit(granted);
}

void OutputRing::setWatched(bool isWatched) {
  if (isWatched == watched) return;
  watched = isWatched;
  // It may have what it could not before, or others from it.
  if (watched) {
    deniedAt = nullptr;
  } else if (granted > sizes.least) {
    budget.releases++;
  }
}

void OutputRing::giveWay() {
  granted /= 2;
  KJ_ASSERT_NONNULL(tail).limit(granted);
}

void OutputRing::drop() {
  counted = end();
  tail = nullptr;
  budget.giveBack(*this);
  granted = 0;
}

size_t OutputReader::ready(const OutputRing& ring, size_t most) const {
  return kj::min(ring.end() - next, most);
}

uint64_t OutputReader::skipTo(uint64_t sequence) {
  KJ_REQUIRE(sequence >= next);
  auto lost = sequence - next;
  next = sequence;
  return lost;
}

void OutputReader::read(const OutputRing& ring, kj::ArrayPtr<kj::byte> target) {
  ring.copy(next, target);
  next += target.size();
}

}  // namespace bothy
