#include "simulation/simulated-disk.h"

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr kj::Duration INSTANT = 1 * kj::MICROSECONDS, MOMENT = 100 * kj::MILLISECONDS;
// Up to beyond every deadline.
constexpr kj::Duration SLOW = 1 * kj::SECONDS, SLOWEST = 100 * kj::SECONDS;
constexpr kj::Duration AT_ONCE = 0 * kj::SECONDS;

}  // namespace

SimulatedDisk::SimulatedDisk(SimulatedHost& host, Lifetime& lifetime, kj::StringPtr actor,
                             Faults faults)
    : host(host), lifetime(lifetime), actor(actor), faults(faults), tasks(*this) {}

SimulatedDisk::~SimulatedDisk() noexcept(false) {
  KJ_IF_MAYBE (pending, underWay) {
    auto& job = (*pending)->job;
    auto outlive = [&](kj::Function<void()>& deed) {
      lifetime.outlive([&]() { kj::runCatchingExceptions([&]() { deed(); }); });
    };
    switch (host.fate.below(3)) {
      case 0:
        host.trace.line(actor, job.what, ": killed before it was done");
        break;
      case 1:
        host.trace.line(actor, job.what, ": killed halfway");
        outlive(job.half);
        break;
      default:
        host.trace.line(actor, job.what, ": killed after it was done");
        outlive(job.effect);
        break;
    }
    host.touch();
  }
}

void SimulatedDisk::taskFailed(kj::Exception&& exception) {
  host.judge.accuse("a thread for files ended: ", exception.getDescription());
}

kj::Duration SimulatedDisk::lateness(const Job& job) {
  if (!host.fate.strikes(faults.slow)) return AT_ONCE;
  auto takes =
      host.fate.oneIn(2) ? host.fate.between(INSTANT, MOMENT) : host.fate.between(SLOW, SLOWEST);
  host.trace.line(actor, job.what, ": takes ", takes / kj::MILLISECONDS, " ms");
  return takes;
}

void SimulatedDisk::carryOut(Job& job) {
  lifetime.require();
  if (job.kind == Kind::STEP) host.touch();
  auto fail = [&](kj::Exception::Type type, kj::StringPtr why) {
    const bool isHalf = job.kind == Kind::STEP && host.fate.oneIn(2);
    host.trace.line(actor, job.what, ": ", why, isHalf ? ", halfway"_kj : ""_kj);
    if (isHalf) bothy::apply(lifetime, job.half);
    kj::throwFatalException(
        kj::Exception(type, __FILE__, __LINE__, kj::str("simulated: ", job.what, ": ", why)));
  };
  using Type = kj::Exception::Type;
  if (host.fate.strikes(faults.refused)) fail(Type::FAILED, "input/output error");
  if (job.needsSpace && host.fate.strikes(faults.full)) {
    fail(Type::OVERLOADED, "no space left on device");
  }
  if (job.kind == Kind::STEP) {
    bothy::apply(lifetime, job.effect);
  } else {
    job.effect();
  }
}

kj::Promise<void> SimulatedDisk::run(Job job) {
  // A coroutine: what it throws, its caller learns from the promise.
  lifetime.require();
  const bool isIdle = waiting.empty() && underWay == nullptr;
  auto takes = AT_ONCE;
  if (isIdle) {
    takes = lateness(job);
    if (takes == AT_ONCE) {
      carryOut(job);
      co_return;
    }
  }
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiting.push_back(kj::heap<Pending>(Pending{kj::mv(job), kj::mv(paf.fulfiller)}));
  if (isIdle) tasks.add(work(takes));
  co_await paf.promise;
}

kj::Promise<void> SimulatedDisk::work(kj::Duration takes) {
  while (!waiting.empty()) {
    underWay = kj::mv(waiting.front());
    waiting.pop_front();
    auto& pending = *KJ_ASSERT_NONNULL(underWay);
    if (pending.done->isWaiting()) {
      if (takes == AT_ONCE) takes = lateness(pending.job);
      co_await host.timer.afterDelay(takes);
      if (lifetime.isOver()) co_return;
      if (!pending.done->isWaiting()) {
        host.trace.line(actor, pending.job.what, ": nobody waits for it");
      }
      auto failure = kj::runCatchingExceptions([&]() { carryOut(pending.job); });
      KJ_IF_MAYBE (e, failure) {
        pending.done->reject(kj::mv(*e));
      } else {
        pending.done->fulfill();
      }
    }
    underWay = nullptr;
    takes = AT_ONCE;
  }
}

}  // namespace bothy
