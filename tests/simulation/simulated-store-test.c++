#include "simulation/simulated-store.h"

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/vector.h>
#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

#include "simulation/fate.h"
#include "store/sqlite-store.h"

namespace bothy {
namespace {

constexpr uint64_t KEEP_EVENTS = 20;

// Both stores, and all that can be read of each as one text.
struct Pair {
  char directory[32] = "/tmp/bothy-stores-XXXXXX";
  Judge judge;
  SimulatedStore simulated{judge, KEEP_EVENTS};
  kj::Own<Store> real;

  Pair() {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    real = newSqliteStore(kj::str(directory, "/state.db"), KEEP_EVENTS);
  }
  ~Pair() noexcept(false) {
    real = nullptr;
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(directory).slice(1)));
  }

  static kj::String textOf(Store& store, uint64_t after) {
    kj::Vector<kj::String> lines;
    for (auto& row : store.workspaces()) {
      lines.add(kj::str(row.id, ' ', row.name, ' ', row.uid, ' ', row.cid, ' ', row.state, ' ',
                        row.diskMib, ' ', row.wantedDiskMib, ' ', row.failure, ' ',
                        row.secret.size()));
    }
    for (auto& event : store.events(after, 7)) {
      lines.add(kj::str(event.number, ' ', event.workspaceId, ' ', event.before, ' ', event.after,
                        ' ', event.gone, ' ', event.cause, ' ', event.detail));
    }
    for (auto requestId : {"r0", "r1", "r2"}) {
      KJ_IF_MAYBE (request, store.request(requestId)) {
        lines.add(kj::str(request->requestId, ' ', request->asked, ' ', request->workspaceId));
      }
    }
    lines.add(kj::str(store.firstEvent(), ' ', store.lastEvent()));
    return kj::strArray(lines, "\n");
  }

  // Whether it was refused, which is the same for both.
  bool isRefused(kj::FunctionParam<void(Store&)> change) {
    auto one = kj::runCatchingExceptions([&]() { change(simulated); });
    auto other = kj::runCatchingExceptions([&]() { change(*real); });
    CHECK((one == nullptr) == (other == nullptr));
    return one != nullptr;
  }
};

TEST_CASE("the simulated store keeps and refuses what the real one does") {
  Pair pair;
  Fate fate(1);
  kj::TreeMap<kj::String, WorkspaceState> present;
  uint64_t refused = 0;
  for (uint32_t i = 0; i < 400; i++) {
    auto id = kj::str("id", fate.below(4));
    auto state = static_cast<WorkspaceState>(fate.below(8));
    auto before = WorkspaceState::CREATING;
    KJ_IF_MAYBE (known, present.find(id)) before = *known;
    WorkspaceRow row;
    row.id = kj::str(id);
    row.name = kj::str("name", id, present.find(id) == nullptr ? fate.below(2) : 0);
    row.uid = 7 + fate.below(6);
    row.cid = row.uid;
    row.diskMib = 64 + i;
    row.secret = kj::heapArray<kj::byte>(fate.below(3));
    EventRecord event;
    event.workspace = kj::str(row.name);
    event.workspaceId = kj::str(id);
    event.before = before;
    event.detail = kj::str("step ", i);
    switch (fate.below(5)) {
      case 0: {
        kj::Maybe<RequestRecord> request;
        if (fate.oneIn(2)) {
          request = RequestRecord{kj::str("r", fate.below(3)), kj::str("step ", i), kj::str(id)};
        }
        event.before = event.after = row.state;
        bool no = pair.isRefused([&](Store& store) {
          store.insert(row, event,
                       request.map([](RequestRecord& r) -> const RequestRecord& { return r; }));
        });
        if (!no) present.insert(kj::str(id), row.state);
        refused += no;
        break;
      }
      case 1: {
        event.gone = true;
        event.after = before;
        bool no = pair.isRefused([&](Store& store) { store.remove(id, event); });
        if (!no) present.erase(id);
        refused += no;
        break;
      }
      case 2:
        if (present.find(id) == nullptr) break;
        event.after = before;
        pair.isRefused([&](Store& store) { store.append(event); });
        break;
      default: {
        row.state = event.after = state;
        bool no = pair.isRefused([&](Store& store) { store.update(row, event); });
        if (!no) present.upsert(kj::str(id), state);
        refused += no;
        break;
      }
    }
    auto after = fate.below(1 + pair.real->lastEvent());
    auto simulated = Pair::textOf(pair.simulated, after), real = Pair::textOf(*pair.real, after);
    INFO("simulated:\n" << simulated.cStr() << "\nreal:\n" << real.cStr());
    REQUIRE((simulated == real));
  }
  CHECK(refused > 20);
  CHECK(pair.real->lastEvent() > KEEP_EVENTS);
}

}  // namespace
}  // namespace bothy
