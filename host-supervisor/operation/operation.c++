#include "operation/operation.h"

namespace bothy {

Operation::Operation()
    : Operation(kj::newPromiseAndFulfiller<void>(), kj::newPromiseAndFulfiller<void>()) {}

Operation::Operation(kj::PromiseFulfillerPair<void> end, kj::PromiseFulfillerPair<void> decision)
    : ended(kj::mv(end.fulfiller)),
      end(end.promise.fork()),
      decided(kj::mv(decision.fulfiller)),
      decision(decision.promise.fork()) {}

Operation::~Operation() noexcept(false) {}

kj::Maybe<size_t> Operation::placeOf(kj::StringPtr step) const {
  auto table = steps();
  for (auto i : kj::indices(table)) {
    if (table[i].name == step) return i;
  }
  return nullptr;
}

kj::Promise<Operation::End> Operation::onEnd() {
  return end.addBranch()
      .then([this]() {
        return End{successor.map([](const kj::String& kind) { return kj::str(kind); })};
      })
      .attach(kj::addRef(*this));
}

kj::Promise<void> Operation::onDecided() {
  return decision.addBranch().attach(kj::addRef(*this));
}

}  // namespace bothy
