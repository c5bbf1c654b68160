#include "workspace/start-progress.h"

namespace bothy {

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
  for (auto& listener : listeners) listener->stage(stage, elapsed, before);
}

void StartProgress::end() {
  isUnderWay = false;
  listeners.clear();
}

void StartProgress::listen(kj::Maybe<kj::Own<Progress>> progress) {
  KJ_IF_MAYBE (p, progress) {
    if (isUnderWay) (*p)->stage(current, timer.now() - base, startsBefore);
    listeners.add(kj::mv(*p));
  }
}

}  // namespace bothy
