#pragma once

#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "store/activity-contract.h"
#include "store/event-contract.h"
#include "store/row-contract.h"

namespace bothy {

// What holds for every Store, as sections of one test case.
class StoreContract final {
public:
  StoreContract(kj::WaitScope& scope, ContractStore::Open open) : store(scope, kj::mv(open)) {}

  void check() {
    CHECK(store.initial.workspaces.size() == 0);
    CHECK(store.initial.lastEvent == 0);
    RowContract(store).check();
    ActivityContract(store).check();
    EventContract(store).check();
    checkEpochs();
  }

private:
  ContractStore store;

  void checkEpochs() {
    SECTION("a store that another has taken over stores nothing any more, and says so") {
      store.commit(store.added("a", 1));
      auto fence = store->untilFenced().then([]() { return false; }, isFenced);
      CHECK_FALSE(fence.poll(store.scope));
      auto newer = store.open();
      auto state = newer->begin().wait(store.scope);
      CHECK(state.epoch > store.initial.epoch);
      auto late = store->commit(store.added("b", 2))
                      .then([](Committed) { return kj::String(); },
                            [](kj::Exception&& e) {
                              CHECK(isFenced(e));
                              return kj::str(e.getDescription());
                            })
                      .wait(store.scope);
      INFO(late.cStr());
      CHECK(strstr(late.cStr(), "another bothyd") != nullptr);
      CHECK(fence.wait(store.scope));
      newer->commit(store.added("c", 3)).wait(store.scope);
      auto found = newer->events(0, 10).wait(store.scope).events;
      REQUIRE(found.size() == 2);
      CHECK(found[1].workspace == "c");
    }
  }
};

}  // namespace bothy
