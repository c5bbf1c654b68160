#include "output/output-budget.h"

#include <unistd.h>

#include <kj/debug.h>

namespace bothy {

OutputBudget::OutputBudget(size_t bytes) : bytes(bytes) {}

OutputBudget::~OutputBudget() noexcept(false) {
  KJ_ASSERT(rings.empty(), "a ring outlives its budget") {
    break;
  }
}

bool OutputBudget::takeForScreen(size_t more) {
  const size_t most = bytes / SCREENS_PART;
  if (onScreens >= most || more > (most - onScreens) / SCREEN_PART) return false;
  takeForScreenAnyway(more);
  return true;
}

void OutputBudget::takeForScreenAnyway(size_t more) {
  makeRoom(more, [](OutputRing& ring) { return ring.sizes.least; });
  onScreens += more;
}

void OutputBudget::giveBackOfScreen(size_t less) {
  onScreens -= less;
  if (less > 0) releases++;
}

bool OutputBudget::changeForScreen(size_t before, size_t bytes) {
  giveBackOfScreen(before);
  if (bytes > before) return takeForScreen(bytes);
  onScreens += bytes;
  return true;
}

void OutputBudget::add(OutputRing& ring) {
  rings.add(ring);
}

void OutputBudget::remove(OutputRing& ring) {
  giveBack(ring);
  rings.remove(ring);
}

void OutputBudget::giveBack(OutputRing& ring) {
  inRings -= ring.size();
  if (ring.size() > 0) releases++;
}

size_t OutputBudget::grow(OutputRing& ring, size_t wanted) {
  const auto has = ring.size();
  auto floorOf = [&](OutputRing& other) {
    if (&other == &ring || (other.watched && !ring.watched)) return other.size();
    const bool goesBefore = ring.watched && !other.watched;
    return goesBefore ? other.sizes.least : kj::max(other.sizes.least, wanted);
  };
  while (wanted > kj::max(has, ring.sizes.least) && !canMakeRoom(wanted - has, floorOf))
    wanted /= 2;
  if (wanted <= has) return has;
  const bool isItsOwn = wanted <= ring.sizes.least;
  makeRoom(wanted - has, [&](OutputRing& other) {
    return isItsOwn && &other != &ring ? other.sizes.least : floorOf(other);
  });
  inRings += wanted - has;
  return wanted;
}

template <typename FloorOf>
bool OutputBudget::canMakeRoom(size_t more, FloorOf&& floorOf) {
  if (held() + more <= bytes) return true;
  searched++;
  size_t free = 0;
  for (auto& ring : rings) free += ring.size() - kj::min(ring.size(), floorOf(ring));
  return held() + more <= bytes + free;
}

template <typename FloorOf>
void OutputBudget::makeRoom(size_t more, FloorOf&& floorOf) {
  while (held() + more > bytes) {
    searched++;
    kj::Maybe<OutputRing&> chosen;
    for (auto& ring : rings) {
      if (ring.size() <= floorOf(ring)) continue;
      KJ_IF_MAYBE (best, chosen) {
        if (ring.watched != best->watched ? ring.watched : ring.size() <= best->size()) continue;
      }
      chosen = ring;
    }
    KJ_IF_MAYBE (ring, chosen) {
      inRings -= ring->size();
      ring->giveWay();
      // It gave more, maybe, than was asked for.
      releases++;
      inRings += ring->size();
    } else {
      return;
    }
  }
}

size_t outputBytesOf(size_t memoryBytes) {
  constexpr size_t PART = 32, MOST = 128 << 20;
  return kj::max(LEAST_OUTPUT_BYTES, kj::min(MOST, memoryBytes / PART));
}

size_t outputBytesOfThisMachine() {
  const auto pages = static_cast<size_t>(kj::max(sysconf(_SC_PHYS_PAGES), 0L));
  const auto pageBytes = static_cast<size_t>(kj::max(sysconf(_SC_PAGESIZE), 0L));
  return outputBytesOf(pages * pageBytes);
}

}  // namespace bothy
