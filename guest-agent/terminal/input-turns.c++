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
  std::erase_if(waiting, [](auto& waiter) { return !waiter->isWaiting(); });
  waiting.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void InputTurns::pass() {
  while (!waiting.empty()) {
    auto next = kj::mv(waiting.front());
    waiting.pop_front();
    if (!next->isWaiting()) continue;
    // If the promise is dropped before it is seen, so is the turn, and the next one comes.
    next->fulfill(kj::heap<Turn>(*this));
    return;
  }
  taken = false;
}

}  // namespace bothy
