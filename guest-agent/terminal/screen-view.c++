#include "terminal/screen-view.h"

#include <string.h>

#include "screen/screen-redraw.h"

namespace bothy {
namespace {

// A sequence or string that is longer is not sent again from its beginning.
constexpr uint64_t MAX_REPEATED_BYTES = 64 * 1024;

}  // namespace

ScreenView::ScreenView(OutputBudget& budget, WindowSize size)
    : budget(budget), screen(budget, size.columns, size.rows) {}

bool ScreenView::feed(kj::ArrayPtr<const kj::byte> output) {
  auto taken = screen.feed(output);
  rest.addAll(output.slice(taken, output.size()));
  return rest.empty();
}

bool ScreenView::goOn() {
  if (rest.empty()) return true;
  auto taken = screen.feed(rest);
  memmove(rest.begin(), rest.begin() + taken, rest.size() - taken);
  rest.truncate(rest.size() - taken);
  return rest.empty();
}

ScreenView::Snapshot::Snapshot(OutputBudget& budget, kj::Array<kj::byte> bytes, uint64_t bytesAfter)
    : bytes(kj::mv(bytes)), bytesAfter(bytesAfter), budget(budget) {}

ScreenView::Snapshot::~Snapshot() noexcept {
  budget.giveBackOfScreen(bytes.size());
}

kj::Own<ScreenView::Snapshot> ScreenView::snapshot(const OutputRing& output) {
  auto bytes = redraw(screen.state());
  if (!budget.takeForScreen(bytes.size())) {
    bytes = redrawWithoutCells(screen.state());
    budget.takeForScreenAnyway(bytes.size());
  }
  const auto unfinished = screen.unfinished();
  const auto after = rest.size() + unfinished;
  if (unfinished <= MAX_REPEATED_BYTES && after <= output.end() - output.begin()) {
    return kj::refcounted<Snapshot>(budget, kj::mv(bytes), after);
  }
  auto beginning = screen.unfinishedBeginning();
  budget.takeForScreenAnyway(beginning.size());
  return kj::refcounted<Snapshot>(
      budget, kj::heapArray(kj::str(bytes.asChars(), beginning).asBytes()), rest.size());
}

}  // namespace bothy
