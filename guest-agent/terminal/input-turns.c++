#include "terminal/input-turns.h"

namespace bothy {

class InputTurns::Turn final {
public:
  explicit Turn(InputTurns& turns) : turns(kj::addRef(turns)) {}
  ~Turn() noexcept(false) { turns->pass(); }
  KJ_DISALLOW_COPY_AND_MOVE(Turn);

private:
  kj::Own<InputTurns> turns;
};

kj::Promise<kj::Own<void>> InputTurns::next() {
  if (!taken) {
    taken = true;
    return kj::Own<void>(kj::heap<Turn>(*this));
  }
  auto paf = kj::newPromiseAndFulfiller<kj::Own<void>>();
  waiting.add(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void InputTurns::pass() {
  while (!waiting.empty()) {
    auto next = kj::mv(waiting.front());
    for (size_t i = 1; i < waiting.size(); i++) waiting[i - 1] = kj::mv(waiting[i]);
    waiting.removeLast();
    if (!next->isWaiting()) continue;
    // If the promise is dropped before it is seen, so is the turn, and the next one comes.
    next->fulfill(kj::heap<Turn>(*this));
    return;
  }
  taken = false;
}

}  // namespace bothy
