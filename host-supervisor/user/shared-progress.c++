#include "user/shared-progress.h"

namespace bothy {

class SharedProgress::Input final: public Progress {
public:
  explicit Input(kj::Own<SharedProgress> shared) : shared(kj::mv(shared)) {}

  void stage(Stage stage, kj::Duration elapsed, size_t before) override {
    shared->newest = Told{stage, elapsed, before};
    for (auto& listener : shared->listeners) listener.progress->stage(stage, elapsed, before);
  }
  // Who joins meanwhile hears of the next step or line.
  void setUp(const SetupStage& setup, kj::Duration elapsed) override {
    shared->newest = nullptr;
    for (auto& listener : shared->listeners) listener.progress->setUp(setup, elapsed);
  }

private:
  kj::Own<SharedProgress> shared;
};

SharedProgress::Listener::Listener(kj::Own<SharedProgress> owner, kj::Own<Progress> progress)
    : owner(kj::mv(owner)), progress(kj::mv(progress)) {
  this->owner->listeners.add(*this);
}

SharedProgress::Listener::~Listener() noexcept(false) {
  owner->listeners.remove(*this);
}

kj::Own<Progress> SharedProgress::input() {
  return kj::heap<Input>(kj::addRef(*this));
}

kj::Own<void> SharedProgress::listen(kj::Maybe<kj::Own<Progress>> progress) {
  KJ_IF_MAYBE (p, progress) {
    KJ_IF_MAYBE (told, newest) (*p)->stage(told->stage, told->elapsed, told->before);
    return kj::heap<Listener>(kj::addRef(*this), kj::mv(*p));
  }
  return {};
}

}  // namespace bothy
