#include "workspace/start-progress.h"

namespace bothy {

StartProgress::Listener::Listener(StartProgress& owner, kj::Own<Progress> progress)
    : owner(owner), progress(kj::mv(progress)) {
  owner.listeners.add(*this);
}

StartProgress::Listener::~Listener() noexcept(false) {
  if (link.isLinked()) owner.listeners.remove(*this);
}

void StartProgress::begin(Stage first) {
  isUnderWay = true;
  base = timer.now();
  tell(first, 0);
}

void StartProgress::reach(Stage stage, size_t before) {
  if (stage != current || before != startsBefore) tell(stage, before);
}

void StartProgress::tell(Stage stage, size_t before) {
  current = stage;
  startsBefore = before;
  auto elapsed = timer.now() - base;
  for (auto& listener : listeners) listener.progress->stage(stage, elapsed, before);
}

void StartProgress::setUp(const SetupStage& setup) {
  current = Stage::SETTING_UP;
  auto elapsed = timer.now() - base;
  for (auto& listener : listeners) listener.progress->setUp(setup, elapsed);
}

void StartProgress::end() {
  isUnderWay = false;
  for (auto& listener : listeners) listeners.remove(listener);
}

kj::Own<void> StartProgress::listen(kj::Maybe<kj::Own<Progress>> progress) {
  KJ_IF_MAYBE (p, progress) {
    // What is set up is told with the next line.
    if (isUnderWay && current != Stage::SETTING_UP)
      (*p)->stage(current, timer.now() - base, startsBefore);
    return kj::heap<Listener>(*this, kj::mv(*p));
  }
  return {};
}

}  // namespace bothy
