#include "usage/nearest.h"

namespace bothy {
namespace {

constexpr size_t MAX_WORD_BYTES = 64;  // longer ones are no slip of the fingers

// How many letters are to be put in, left out, changed or swapped with their neighbour.
size_t distance(kj::StringPtr a, kj::StringPtr b) {
  auto row = [&b] { return kj::heapArray<size_t>(b.size() + 1); };
  auto beforeLast = row(), last = row(), current = row();
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = kj::min(change, kj::min(last[j], current[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = kj::min(current[j], beforeLast[j - 2] + 1);
      }
    }
    auto spare = kj::mv(beforeLast);
    beforeLast = kj::mv(last);
    last = kj::mv(current);
    current = kj::mv(spare);
  }
  return last[b.size()];
}

}  // namespace

kj::Maybe<kj::StringPtr> nearest(kj::StringPtr given, kj::ArrayPtr<const kj::StringPtr> known) {
  if (given.size() > MAX_WORD_BYTES) return nullptr;
  kj::Maybe<kj::StringPtr> best;
  // A third of the letters may be wrong.
  size_t limit = kj::max(given.size() / 3, size_t{1});
  for (auto word : known) {
    if (word.size() > MAX_WORD_BYTES) continue;
    size_t far = distance(given, word);
    if (far > limit || far >= word.size()) continue;
    best = word;
    if (far == 0) break;
    limit = far - 1;
  }
  return best;
}

}  // namespace bothy
