#pragma once

#include <kj/list.h>
#include <kj/memory.h>
#include <kj/time.h>
#include <kj/timer.h>

#include "workspace/start-report.h"

namespace bothy {

// A step of the set-up, of SETTING_UP.
struct SetupStage {
  // From 0 on.
  uint32_t step;
  uint32_t steps;
  kj::StringPtr name;
  // The last that it has said, escaped.
  kj::StringPtr line;
};

// Told of stages while somebody waits for a start.
class Progress {
public:
  // `before`: how many others start first; of WAITING, which is told of again as that changes.
  virtual void stage(Stage stage, kj::Duration elapsed, size_t before) = 0;
  // Of SETTING_UP, with each step, and each line of one.
  virtual void setUp(const SetupStage& setup, kj::Duration elapsed) = 0;
};

// How far the creation or start of one workspace has come, for those who listen.
class StartProgress final {
public:
  explicit StartProgress(kj::Timer& timer) : timer(timer) {}
  KJ_DISALLOW_COPY_AND_MOVE(StartProgress);

  // From now on it is measured; those who listen already go on.
  void begin(Stage first);
  // Told to those who listen, unless it is there.
  void reach(Stage stage, size_t before = 0);
  // That a step is being done, or has said something else.
  void setUp(const SetupStage& setup);
  // Nobody listens any more.
  void end();
  // Told at once where it is, while it is under way, and of the rest until what this returns is dropped, which is before this ends.
  kj::Own<void> listen(kj::Maybe<kj::Own<Progress>> progress);
  Stage stage() const { return current; }

private:
  kj::Timer& timer;
  struct Listener {
    Listener(StartProgress& owner, kj::Own<Progress> progress);
    ~Listener() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Listener);

    StartProgress& owner;
    kj::Own<Progress> progress;
    kj::ListLink<Listener> link;
  };
  kj::List<Listener, &Listener::link> listeners;
  bool isUnderWay = false;
  Stage current = Stage::CREATING_DISK;
  size_t startsBefore = 0;
  kj::TimePoint base = kj::origin<kj::TimePoint>();

  void tell(Stage stage, size_t before);
};

}  // namespace bothy
