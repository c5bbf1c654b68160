#include "loop/failure-of.h"

namespace bothy {

kj::Promise<kj::Maybe<kj::Exception>> failureOf(kj::FunctionParam<kj::Promise<void>()> attempt) {
  return kj::evalNow([&]() { return attempt(); })
      .then([]() -> kj::Maybe<kj::Exception> { return nullptr; },
            [](kj::Exception&& e) -> kj::Maybe<kj::Exception> { return kj::mv(e); });
}

}  // namespace bothy
