#include "support/fake-usage-store.h"

#include <kj/async-io.h>

#include "store/usage-contract.h"

namespace bothy {
namespace {

TEST_CASE("the store of usage of tests keeps the contract") {
  auto io = kj::setupAsyncIo();
  FakeUsageStore store;
  UsageContract(io.waitScope, store).check();
}

}  // namespace
}  // namespace bothy
