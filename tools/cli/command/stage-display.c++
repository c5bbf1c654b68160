#include "command/stage-display.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {

// Of what a step says, so that it fits one line of a terminal.
constexpr size_t MOST_LINE_BYTES = 60;

class StageDisplay::Reporter final: public rpc::Progress::Server {
public:
  explicit Reporter(StageDisplay& display) : display(display) {}

  kj::Promise<void> stage(StageContext context) override {
    auto params = context.getParams();
    if (params.getStage() == rpc::Stage::SETTING_UP) {
      display.setUp(params.getSetup());
    } else {
      display.begin(params.getStage(), params.getBefore());
    }
    return kj::READY_NOW;
  }

private:
  StageDisplay& display;
};

StageDisplay::StageDisplay(Console& console, kj::Timer& timer)
    : console(console),
      timer(timer),
      start(timer.now()),
      line(kj::heap<ProgressLine>(console, timer,
                                  [this](kj::uint frame) { return render(frame); })) {}

rpc::Progress::Client StageDisplay::progress() {
  if (console.wantsJson()) return nullptr;
  return kj::heap<Reporter>(*this);
}

void StageDisplay::begin(rpc::Stage stage, uint32_t before) {
  if (stage == rpc::Stage::WAITING) {
    // Within a stage that is not over.
    KJ_IF_MAYBE (r, running) {
      if (r->stage == stage) {
        r->before = before;
        return;
      }
    }
  } else {
    finish();
  }
  if (stage == rpc::Stage::AGENT_READY) return;
  running = Running{stage, timer.now(), before};
  if (!console.showsProgress()) console.note(describe(KJ_ASSERT_NONNULL(running)));
}

void StageDisplay::setUp(rpc::Progress::SetupStage::Reader setup) {
  KJ_IF_MAYBE (r, running) {
    if (r->stage == rpc::Stage::SETTING_UP && r->step == setup.getStep()) {
      r->line = escapeGuestText(setup.getLine().asArray());
      return;
    }
  }
  finish();
  auto name = kj::str(escapeGuestText(setup.getName().asArray()), " (", setup.getStep() + 1, "/",
                      setup.getSteps(), ")");
  running = Running{rpc::Stage::SETTING_UP, timer.now(), 0, setup.getStep(), kj::mv(name)};
  if (!console.showsProgress()) console.note(describe(KJ_ASSERT_NONNULL(running)));
}

kj::String StageDisplay::describe(const Running& running) {
  if (running.stage == rpc::Stage::SETTING_UP) {
    if (running.line.size() == 0) return kj::str(running.name);
    auto line = running.line.slice(0, kj::min(running.line.size(), MOST_LINE_BYTES));
    return kj::str(running.name, ": ", line);
  }
  if (running.stage != rpc::Stage::WAITING) return kj::str(nameOf(running.stage));
  return kj::str(nameOf(running.stage), ", ", running.before, " before it");
}

void StageDisplay::finish() {
  KJ_IF_MAYBE (r, running) {
    if (console.showsProgress()) {
      auto what = r->stage == rpc::Stage::SETTING_UP ? r->name.asPtr() : nameOf(r->stage);
      line->printAbove(
          kj::str("\x1b[32m✓\x1b[0m ", what, " ", formatDuration(timer.now() - r->since)));
    }
  }
  running = nullptr;
}

kj::String StageDisplay::render(kj::uint frame) {
  auto now = timer.now();
  KJ_IF_MAYBE (r, running) {
    return kj::str(spinner(frame), " ", describe(*r), " ", formatDuration(now - r->since));
  }
  return kj::str(spinner(frame), " ", formatDuration(now - start));
}

void failStart(Console& console, kj::StringPtr name, rpc::Supervisor::StartFailure::Reader failed,
               kj::StringPtr whatNext) {
  auto tail = escapeGuestText(failed.getConsole().asArray(), LineFeeds::KEPT);
  if (tail.size() > 0) {
    console.note(kj::str("the end of the console of ", name, ":"));
    console.progress(kj::str(tail, tail.endsWith("\n") ? "" : "\n"));
  }
  auto next = whatNext.size() > 0 ? kj::str(whatNext)
                                  : kj::str("`bothy start ", name, "` tries again, `bothy rm ",
                                            name, "` removes it");
  kj::throwFatalException(
      failure(kj::str(name, " did not start, while ", nameOf(failed.getStage()), ": ",
                      escapeGuestText(failed.getMessage().asArray()), ": ", next)));
}

}  // namespace bothy
