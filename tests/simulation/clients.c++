#include "simulation/clients.h"

#include <string.h>

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr uint32_t NAMES = 5;
constexpr kj::Duration LONGEST_PAUSE = 8 * kj::SECONDS;
constexpr kj::Duration LONGEST_PATIENCE = 20 * kj::SECONDS;
constexpr uint32_t SMALL_DISK_MIB = 128;
constexpr uint32_t MOST_GROWTH_MIB = 1000;

kj::String nameOf(uint64_t number) {
  return kj::str("w", number + 1);
}

}  // namespace

Clients::Clients(SimulatedHost& host, Ledger& ledger, Incarnation& bothyd)
    : host(host), ledger(ledger), bothyd(bothyd) {}

kj::Promise<void> Clients::live(uint32_t number) {
  auto who = kj::str("client ", number);
  co_await bothyd.onServing();
  while (bothyd.serves()) {
    co_await host.timer.afterDelay(host.fate.between(0 * kj::SECONDS, LONGEST_PAUSE));
    if (ledger.budget == 0 || !bothyd.serves()) co_return;
    ledger.budget--;
    co_await attempt(kj::str(who), kj::evalNow([&]() { return choose(who); }));
  }
}

kj::Promise<void> Clients::startMany(size_t count) {
  co_await bothyd.onServing();
  kj::Vector<kj::String> names;
  for (auto& workspace : bothyd.list()) {
    if (workspace.state == WorkspaceState::STOPPED) names.add(kj::str(workspace.name));
  }
  kj::Vector<kj::Promise<void>> calls;
  for (size_t i = 0; i < count && names.size() > 0; i++) {
    auto& name = names[host.fate.below(names.size())];
    calls.add(attempt(kj::str("crowd"), start(kj::str("crowd"), kj::str(name))));
  }
  co_await kj::joinPromises(calls.releaseAsArray());
}

kj::Promise<void> Clients::startAll() {
  co_await bothyd.onServing();
  kj::Vector<kj::Promise<void>> calls;
  for (auto& workspace : bothyd.list()) {
    if (workspace.state == WorkspaceState::RUNNING) continue;
    calls.add(attempt(kj::str("client"), start(kj::str("client"), kj::str(workspace.name))));
  }
  co_await kj::joinPromises(calls.releaseAsArray());
}

kj::Promise<void> Clients::deleteAll() {
  co_await bothyd.onServing();
  kj::Vector<kj::Promise<void>> calls;
  for (auto& workspace : bothyd.list()) {
    calls.add(attempt(kj::str("client"), erase(kj::str("client"), kj::str(workspace.name))));
  }
  co_await kj::joinPromises(calls.releaseAsArray());
}

kj::Promise<void> Clients::attempt(kj::String who, kj::Promise<void> call) {
  // Of a client that leaves, or of a bothyd that is killed, nobody waits any more.
  ledger.waiting++;
  KJ_DEFER(ledger.waiting--);
  if (host.fate.strikes(Fault::CLIENT_LEAVES)) {
    auto patience = host.fate.between(0 * kj::SECONDS, LONGEST_PATIENCE);
    call = call.exclusiveJoin(
        host.timer.afterDelay(patience).then([&]() { host.trace.line(who, "leaves"); }));
  }
  kj::Maybe<kj::Exception> failure;
  co_await call.catch_([&](kj::Exception&& e) { failure = kj::mv(e); });
  host.touch();
  if (!isHeard()) co_return;
  ledger.answered++;
  KJ_IF_MAYBE (e, failure) {
    host.trace.line(who, "is told: ", e->getDescription());
    if (strstr(e->getDescription().cStr(), "simulated") == nullptr) {
      host.judge.accuse("a call fails by a fault of bothyd's own: ", e->getDescription());
    }
  }
}

Ledger::Ask Clients::newAsk() {
  auto& fate = host.fate;
  if (ledger.asks.size() > 0 && fate.oneIn(3)) {
    auto again = ledger.asks[fate.below(ledger.asks.size())].clone();
    if (fate.oneIn(8)) again.diskMib = SMALL_DISK_MIB + 1;
    return again;
  }
  Ledger::Ask ask{nullptr, nameOf(fate.below(NAMES)), fate.oneIn(2) ? 0 : SMALL_DISK_MIB,
                  !fate.oneIn(3)};
  if (fate.oneIn(2)) ask.requestId = kj::str("r", ledger.asks.size());
  return ask;
}

// One whose machine has ended, which the database does not have yet: what it is asked for now must come after that.
kj::Maybe<kj::String> Clients::endedUnstored() {
  for (auto& workspace : bothyd.list()) {
    if (workspace.state != WorkspaceState::STOPPED && workspace.state != WorkspaceState::FAILED) {
      continue;
    }
    KJ_IF_MAYBE (stored, host.storedState(workspace.id)) {
      if (isUp(*stored)) return kj::str(workspace.name);
    }
  }
  return nullptr;
}

kj::Promise<void> Clients::choose(kj::StringPtr who) {
  auto& fate = host.fate;
  auto name = nameOf(fate.below(NAMES));
  if (fate.oneIn(3)) {
    KJ_IF_MAYBE (one, nameOfUsers()) name = kj::mv(*one);
  }
  KJ_IF_MAYBE (ended, endedUnstored()) name = kj::mv(*ended);
  switch (fate.below(45)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return create(kj::str(who), newAsk());
    case 6:
    case 7:
    case 8:
    case 9:
      return start(kj::str(who), kj::mv(name));
    case 10:
    case 11:
    case 12:
      return stop(kj::str(who), kj::mv(name));
    case 13:
    case 14:
      return erase(kj::str(who), kj::mv(name));
    case 15:
    case 16:
    case 17:
      return resize(kj::str(who), kj::mv(name), fate.below(MOST_GROWTH_MIB));
    case 18:
      return ping(kj::str(who), kj::mv(name));
    case 19:
    case 20:
    case 21:
    case 22:
      return pause(kj::str(who), kj::mv(name));
    case 23:
    case 24:
      return resume(kj::str(who), kj::mv(name));
    case 25:
    case 26:
    case 27:
    case 28:
    case 29:
    case 30:
      return chooseOfSessions(kj::str(who), kj::mv(name));
    case 31:
    case 32:
      return changeTier(kj::str(who), kj::mv(name));
    case 33:
    case 34:
    case 35:
    case 36:
      return ensure(kj::str(who));
    case 37:
    case 38:
      return expire(kj::str(who), kj::mv(name));
    case 39:
    case 40:
      return retrySetup(kj::str(who), kj::mv(name));
    case 41:
    case 42:
    case 43:
      return hibernate(kj::str(who), kj::mv(name));
    default:
      list(who);
      return kj::READY_NOW;
  }
}

}  // namespace bothy
