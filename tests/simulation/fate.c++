#include "simulation/fate.h"

namespace bothy {
namespace {

constexpr uint64_t CERTAIN = 1000;
constexpr uint32_t OFTEN = 500;

}  // namespace

Fate::Fate(uint64_t seed) : state(seed) {
  // How many of the faults this world knows, and how often it meets one that it knows.  The worst still lets
  // most things succeed in the end.
  constexpr uint64_t KINDS[] = {80, 80, 250, 250, 600};
  constexpr uint32_t RATES[] = {15, 60, 60, 150, 350};
  auto kinds = KINDS[below(kj::size(KINDS))];
  // Of the last, which came later, nothing is drawn: the worlds of before stay as they were.
  for (auto& rate : kj::arrayPtr(permille, static_cast<size_t>(Fault::MEMORY_PUT_BACK))) {
    rate = below(CERTAIN) < kinds ? RATES[below(kj::size(RATES))] : 0;
  }
  if (seed % 4 == 3) permille[static_cast<size_t>(Fault::MEMORY_PUT_BACK)] = OFTEN;
  // A world in which bothyd is never killed shows little.
  if (!oneIn(4)) {
    permille[static_cast<size_t>(Fault::KILL)] = RATES[1 + below(kj::size(RATES) - 1)];
  }
  // Machines end by themselves too seldom to show what becomes of an end that is stored late.
  if (oneIn(4)) {
    permille[static_cast<size_t>(Fault::MACHINE_ENDS)] = OFTEN;
    permille[static_cast<size_t>(Fault::END_REFUSED)] = OFTEN;
  }
  // Lanes of an earlier bothyd, which only the agent can end, are seldom.
  if (oneIn(4)) permille[static_cast<size_t>(Fault::AGENT_KEEPS_LANES)] = OFTEN;
  // Only a device that was lost is unplugged, which is seldom enough.
  if (oneIn(2)) {
    permille[static_cast<size_t>(Fault::UNPLUG_IGNORED)] = RATES[1 + below(kj::size(RATES) - 1)];
  }
}

// SplitMix64.
uint64_t Fate::next() {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t Fate::below(uint64_t limit) {
  return next() % limit;
}

kj::Duration Fate::between(kj::Duration least, kj::Duration most) {
  uint64_t span = (most - least) / kj::MICROSECONDS;
  return least + below(span + 1) * kj::MICROSECONDS;
}

bool Fate::strikes(Fault fault) {
  auto index = static_cast<size_t>(fault);
  if (decreed[index] > 0) {
    decreed[index]--;
    counts[index]++;
    return true;
  }
  if (permille[index] == 0 || below(CERTAIN) >= permille[index]) return false;
  counts[index]++;
  return true;
}

void Fate::calm() {
  for (auto& rate : permille) rate = 0;
}

void Fate::fill(kj::ArrayPtr<kj::byte> bytes) {
  for (auto& byte : bytes) byte = static_cast<kj::byte>(next());
}

}  // namespace bothy
