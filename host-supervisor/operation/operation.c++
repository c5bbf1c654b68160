#include "operation/operation.h"

namespace bothy {

Operation::Operation() : Operation(kj::newPromiseAndFulfiller<void>()) {}

Operation::Operation(kj::PromiseFulfillerPair<void> paf)
    : ended(kj::mv(paf.fulfiller)), end(paf.promise.fork()) {}

Operation::~Operation() noexcept(false) {}

bool Operation::hasStep(kj::StringPtr name) const {
  for (auto& step : steps()) {
    if (step.name == name) return true;
  }
  return false;
}

kj::Promise<Operation::End> Operation::onEnd() {
  return end.addBranch()
      .then([this]() {
        return End{successor.map([](const kj::String& kind) { return kj::str(kind); })};
      })
      .attach(kj::addRef(*this));
}

}  // namespace bothy
