#include "console/progress-line.h"

namespace bothy {
namespace {

constexpr auto FRAME_INTERVAL = 100 * kj::MILLISECONDS;
constexpr kj::StringPtr CLEAR_LINE = "\r\x1b[K"_kj;

}  // namespace

kj::StringPtr spinner(kj::uint frame) {
  constexpr kj::StringPtr FRAMES[] = {"⠋"_kj, "⠙"_kj, "⠹"_kj, "⠸"_kj, "⠼"_kj,
                                      "⠴"_kj, "⠦"_kj, "⠧"_kj, "⠇"_kj, "⠏"_kj};
  return FRAMES[frame % kj::size(FRAMES)];
}

ProgressLine::ProgressLine(Console& console, kj::Timer& timer,
                           kj::Function<kj::String(kj::uint)> render)
    : console(console),
      timer(timer),
      render(kj::mv(render)),
      drawing(console.showsProgress() ? draw().eagerlyEvaluate(nullptr)
                                      : kj::Promise<void>(kj::READY_NOW)) {}

ProgressLine::~ProgressLine() noexcept(false) {
  if (console.showsProgress()) console.progress(CLEAR_LINE);
}

void ProgressLine::printAbove(kj::StringPtr line) {
  console.progress(kj::str(console.showsProgress() ? CLEAR_LINE : ""_kj, line, "\n"));
}

kj::Promise<void> ProgressLine::draw() {
  for (kj::uint frame = 0;; ++frame) {
    console.progress(kj::str(CLEAR_LINE, render(frame)));
    co_await timer.afterDelay(FRAME_INTERVAL);
  }
}

}  // namespace bothy
