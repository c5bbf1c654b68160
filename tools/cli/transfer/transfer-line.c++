#include "transfer/transfer-line.h"

#include "console/quantity.h"
#include "console/table.h"

namespace bothy {
namespace {

constexpr size_t BAR_WIDTH = 20;
constexpr auto RATE_KNOWN_AFTER = 200 * kj::MILLISECONDS;

}  // namespace

kj::String describeTransfer(uint64_t done, uint64_t total, kj::Duration elapsed) {
  double seconds = static_cast<double>(elapsed / kj::MICROSECONDS) / 1e6;
  double rate = elapsed < RATE_KNOWN_AFTER ? 0 : static_cast<double>(done) / seconds;
  auto speed = rate > 0 ? kj::str("  ", formatBytes(static_cast<uint64_t>(rate)), "/s") : kj::str();
  if (total == 0) return kj::str(formatBytes(done), speed);

  done = kj::min(done, total);
  double share = static_cast<double>(done) / static_cast<double>(total);
  auto filled = static_cast<size_t>(share * BAR_WIDTH);
  auto percent = static_cast<uint64_t>(share * 100);
  auto left = kj::str();
  if (rate > 0) {
    auto millis = static_cast<int64_t>(static_cast<double>(total - done) / rate * 1000);
    left = kj::str("  ", formatDuration(millis * kj::MILLISECONDS), " left");
  }
  return kj::str(percent < 10    ? "  "
                 : percent < 100 ? " "
                                 : "",
                 percent, "% [", kj::repeat('=', filled), kj::repeat(' ', BAR_WIDTH - filled),
                 "]  ", formatBytes(done), " of ", formatBytes(total), speed, left);
}

kj::String fitTransfer(kj::StringPtr name, kj::StringPtr progress, size_t columns) {
  constexpr kj::StringPtr GAP = "  "_kj;
  // The last column stays free: some terminals wrap there.
  if (displayWidth(name) + GAP.size() + progress.size() < columns) {
    return kj::str(name, GAP, progress);
  }
  return kj::heapString(progress.begin(),
                        kj::min(progress.size(), kj::max(columns, size_t{1}) - 1));
}

TransferLine::TransferLine(Context& context, kj::StringPtr name, uint64_t total,
                           kj::Function<uint64_t()> done)
    : context(context),
      name(escapeGuestText(name.asArray())),
      total(total),
      done(kj::mv(done)),
      start(context.timer.now()),
      line(context.console, context.timer, [this](kj::uint) { return render(); }) {}

kj::String TransferLine::render() {
  auto progress = describeTransfer(done(), total, context.timer.now() - start);
  size_t columns = 80;
  KJ_IF_MAYBE (size, context.terminal.size()) {
    columns = size->columns;
  }
  return fitTransfer(name, progress, columns);
}

}  // namespace bothy
