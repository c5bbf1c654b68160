#include "simulation/simulated-keys.h"

#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include "keys/local-keyring.h"

namespace bothy {
namespace {

// Up to beyond every deadline.
constexpr kj::Duration SLOW = 1 * kj::SECONDS, SLOWEST = 100 * kj::SECONDS;

}  // namespace

SimulatedKeys::SimulatedKeys(SimulatedHost& host, Lifetime& lifetime)
    : host(host), lifetime(lifetime), tasks(*this) {}

SimulatedKeys::~SimulatedKeys() noexcept(false) {
  KJ_IF_MAYBE (job, underWay) {
    const bool isDone = host.fate.oneIn(2);
    host.trace.line("keys", (*job)->what,
                    isDone ? ": killed after it was done"_kj : ": killed before it was done"_kj);
    if (isDone) kj::runCatchingExceptions([&]() { (*job)->effect(); });
    host.touch();
  }
}

void SimulatedKeys::taskFailed(kj::Exception&& exception) {
  host.judge.accuse("the thread of keys ended: ", exception.getDescription());
}

kj::Promise<void> SimulatedKeys::run(kj::String what, kj::Function<void()> effect) {
  // A coroutine: what it throws, its caller learns from the promise.
  lifetime.require();
  if (host.fate.strikes(Fault::KEY_REFUSED)) {
    host.trace.line("keys", what, ": refused");
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the keyring cannot be written"));
  }
  const bool isIdle = jobs.empty() && underWay == nullptr;
  auto takes = 0 * kj::SECONDS;
  if (host.fate.strikes(Fault::KEY_SLOW)) {
    takes = host.fate.between(SLOW, SLOWEST);
    host.trace.line("keys", what, ": takes ", takes / kj::SECONDS, " s");
  } else if (isIdle) {
    bothy::apply(lifetime, effect);
    host.touch();
    host.trace.line("keys", what);
    co_return;
  }
  auto paf = kj::newPromiseAndFulfiller<void>();
  jobs.push_back(kj::heap<Job>(Job{kj::str(what), kj::mv(effect), kj::mv(paf.fulfiller)}));
  if (isIdle) tasks.add(work(takes));
  auto late = host.timer.afterDelay(KEYRING_CALL_LIMIT).then([&what]() -> kj::Promise<void> {
    return KJ_EXCEPTION(OVERLOADED, kj::str("simulated: ", what, " did not end in time"));
  });
  co_await paf.promise.exclusiveJoin(kj::mv(late));
}

kj::Promise<void> SimulatedKeys::work(kj::Duration takes) {
  while (!jobs.empty()) {
    underWay = kj::mv(jobs.front());
    jobs.pop_front();
    auto& job = *KJ_ASSERT_NONNULL(underWay);
    if (job.done->isWaiting()) {
      co_await host.timer.afterDelay(takes);
      if (lifetime.isOver()) co_return;
      host.trace.line("keys", job.what, job.done->isWaiting() ? ""_kj : ": nobody waits for it"_kj);
      auto failure = kj::runCatchingExceptions([&]() { bothy::apply(lifetime, job.effect); });
      host.touch();
      KJ_IF_MAYBE (e, failure) {
        job.done->reject(kj::mv(*e));
      } else {
        job.done->fulfill();
      }
    }
    underWay = nullptr;
    takes = 0 * kj::SECONDS;
  }
}

kj::Promise<void> SimulatedKeys::create(kj::StringPtr idParam) {
  auto id = kj::str(idParam);
  auto what = kj::str("create ", host.label(id));
  if (host.storedState(id) != WorkspaceState::CREATING) {
    host.judge.accuse("a key is made for ", host.label(id), ", which is not `creating`");
  }
  return run(kj::mv(what), [this, id = kj::mv(id)]() {
    auto key = kj::heapArray<kj::byte>(KEY_BYTES);
    memset(key.begin(), 0, key.size());
    // Never the same twice.
    host.keysMade++;
    memcpy(key.begin(), &host.keysMade, sizeof(host.keysMade));
    host.keys.upsert(kj::str(id), kj::mv(key));
  });
}

kj::Promise<Secret> SimulatedKeys::open(kj::StringPtr idParam) {
  auto id = kj::str(idParam);
  auto what = kj::str("open ", host.label(id));
  // What the thread fills in; the call may be dropped before.
  struct Found final: public kj::Refcounted {
    Secret key{KEY_BYTES};
  };
  auto found = kj::refcounted<Found>();
  return run(kj::mv(what),
             [this, id = kj::mv(id), found = kj::addRef(*found)]() mutable {
               auto& key =
                   KJ_REQUIRE_NONNULL(host.keys.find(id), "simulated: there is no key of this id");
               memcpy(found->key.bytes().begin(), key.begin(), key.size());
             })
      .then([found = kj::mv(found)]() mutable { return kj::mv(found->key); });
}

kj::Promise<void> SimulatedKeys::destroy(kj::StringPtr idParam) {
  auto id = kj::str(idParam);
  auto what = kj::str("destroy ", host.label(id));
  auto state = host.storedState(id);
  if (state != WorkspaceState::DELETING && state != WorkspaceState::EXPIRING &&
      state != WorkspaceState::CREATING) {
    host.judge.accuse("the key of ", host.label(id), " is destroyed, which is not `deleting`");
  }
  return run(kj::mv(what), [this, id = kj::mv(id)]() {
    if (host.sabotage != Sabotage::KEY_IS_KEPT) host.keys.erase(id);
  });
}

kj::Promise<kj::Array<kj::String>> SimulatedKeys::list() {
  struct Found final: public kj::Refcounted {
    kj::Vector<kj::String> ids;
  };
  auto found = kj::refcounted<Found>();
  return run(kj::str("list"),
             [this, result = kj::addRef(*found)]() mutable {
               for (auto& entry : host.keys) result->ids.add(kj::str(entry.key));
             })
      .then([found = kj::mv(found)]() mutable { return found->ids.releaseAsArray(); });
}

}  // namespace bothy
