#pragma once

#include <kj/string.h>
#include <kj/vector.h>

#include "power/power.h"

namespace bothy {

// A machine whose processes end when the test says so.
class FakeSteps final: public ShutdownSteps {
public:
  void refusePrograms() override { refusals++; }
  void terminateAll() override { did("TERM"); }
  void killAll() override { did("KILL"); }
  kj::Promise<void> whenAlone() override {
    if (alone) {
      return kj::READY_NOW;
    }
    auto paf = kj::newPromiseAndFulfiller<void>();
    watchers.add(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }
  kj::Promise<void> whenAnswered() override {
    if (isHeld) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }
  void halt(Ending ending) override { did(ending == Ending::REBOOT ? "reboot" : "off"); }

  void everybodyLeaves() {
    alone = true;
    for (auto& watcher : watchers) {
      watcher->fulfill();
    }
  }
  kj::String history() { return kj::strArray(done, " "); }

  kj::uint refusals = 0;
  bool isHeld = false;  // somebody keeps a program that has ended

private:
  void did(const char* what) { done.add(kj::heapString(what)); }

  kj::Vector<kj::String> done;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> watchers;
  bool alone = false;
};

}  // namespace bothy
