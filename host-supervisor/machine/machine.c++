#include "machine/machine.h"

#include <kj/debug.h>

#include "loop/retry-pauses.h"
#include "schema/limits.capnp.h"

namespace bothy {

namespace {

kj::StringPtr wordFor(rpc::AgentEvent::What why) {
  switch (why) {
    case rpc::AgentEvent::What::ENDED:
      return "by its client";
    case rpc::AgentEvent::What::ORDERED:
      return "by order";
    case rpc::AgentEvent::What::EXPIRED:
      return "its lifetime was over";
    default:
      return "for a reason that this bothyd does not know";
  }
}

}  // namespace

Machine::Machine(kj::Timer& timer, kj::StringPtr workspace, kj::Own<RunningVm> vmParam,
                 kj::Array<const kj::byte> secret, uint64_t firstLane, GuestNotices::Tell happened)
    : timer(timer),
      workspace(kj::str(workspace)),
      vm(kj::mv(vmParam)),
      notices(timer, kj::mv(happened)),
      areLanesClosed(vm->isPaused()),
      link(newAgentLink(
          timer, kj::mv(secret), firstLane, [this]() { return vm->dial(rpc::AGENT_PORT); },
          [this](uint64_t lane, rpc::AgentEvent::What what) { noteClosed(lane, what); },
          [this](uint64_t count) { noteMissed(count); },
          [this](rpc::AgentEvent::Reader event) { notices.hear(event); },
          [this](kj::StringPtr why) { noteLoss(why); })),
      endings(*this) {}

Machine::~Machine() noexcept(false) {}

AgentLink& Machine::requireLink() {
  KJ_IF_MAYBE (l, link) {
    if (!areLanesClosed) return **l;
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the workspace is paused"));
  }
  kj::throwFatalException(
      KJ_EXCEPTION(DISCONNECTED, "the workspace's machine has stopped; connect again"));
}

kj::Promise<rpc::AgentControl::Client> Machine::control() {
  return requireLink().control().attach(kj::addRef(*this));
}

kj::Promise<uint16_t> Machine::generation() {
  return requireLink().generation().attach(kj::addRef(*this));
}

kj::Promise<void> Machine::ready() {
  return requireLink().ready();
}

kj::Promise<void> Machine::requestPowerOff(uint32_t graceMillis) {
  auto agent = co_await control();
  auto request = agent.powerOffRequest();
  request.setGraceMillis(graceMillis);
  // A machine that is quick breaks the connection before its answer is through: then onEnd() tells.
  auto order = request.send().ignoreResult().catch_([](kj::Exception&& e) -> kj::Promise<void> {
    if (e.getType() == kj::Exception::Type::DISCONNECTED) return kj::READY_NOW;
    return kj::mv(e);
  });
  co_await within(timer, HELLO_LIMIT, "the agent did not take the order to power off",
                  order.exclusiveJoin(onEnd().ignoreResult()));
}

kj::Promise<AgentLink::OpenedLane> Machine::openLane(LaneGrant grant) {
  return requireLink().openLane(kj::mv(grant)).attach(kj::addRef(*this));
}

kj::Promise<void> Machine::endLane(uint64_t lane) {
  return end([lane](rpc::LaneChoice::Builder which) { which.setLane(lane); });
}

kj::Promise<void> Machine::endSession(kj::StringPtr session) {
  return end(
      [session = kj::str(session)](rpc::LaneChoice::Builder which) { which.setSession(session); });
}

kj::Promise<void> Machine::end(Choose choose) {
  auto ending = askForEnd(kj::mv(choose)).fork();
  endings.add(ending.addBranch());
  return ending.addBranch().attach(kj::addRef(*this));
}

kj::Promise<void> Machine::askForEnd(Choose choose) {
  auto agent = co_await requireLink().control();
  auto request = agent.endLanesRequest();
  choose(request.initWhich());
  // When the control lane goes, all that were asked over it fail, and drop no other.
  auto unanswered = timer.afterDelay(END_ANSWER_LIMIT).then([this]() {
    if (!isLinked()) return;
    KJ_LOG(WARNING, "the agent does not answer; its control lane is opened anew", workspace);
    KJ_IF_MAYBE (l, link) (*l)->dropControl();
  });
  co_await request.send().ignoreResult().exclusiveJoin(kj::mv(unanswered));
}

bool Machine::isLinked() {
  KJ_IF_MAYBE (l, link) {
    return (*l)->isLinked();
  }
  return false;
}

kj::Promise<Machine::Halt> Machine::onHalt() {
  auto paf = kj::newPromiseAndFulfiller<Halt>();
  std::erase_if(awaitingHalt, [](auto& waiter) { return !waiter->isWaiting(); });
  awaitingHalt.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void Machine::noteHalt(Halt why) {
  for (auto& waiter : awaitingHalt) waiter->fulfill(kj::cp(why));
  awaitingHalt.clear();
}

kj::Promise<void> Machine::closeLanes() {
  if (areLanesClosed || isRetired()) co_return;
  // An agent whose machine stands still answers nobody.
  auto others = isLinked() && !isStalled() ? endAllLanes() : kj::Promise<void>(kj::READY_NOW);
  areLanesClosed = true;
  noteHalt(Halt::PAUSE);
  reopening = nullptr;
  co_await timer.timeoutAfter(CLOSE_LANES_LIMIT, kj::mv(others)).catch_([](kj::Exception&&) {});
  KJ_IF_MAYBE (l, link) (*l)->rest("the workspace is paused");
}

kj::Promise<void> Machine::endAllLanes() {
  auto agent = co_await requireLink().control();
  auto served = co_await agent.lanesRequest().send();
  kj::Vector<kj::Promise<void>> ends;
  for (auto lane : served.getLanes()) {
    if (lane.getPurpose() == rpc::Purpose::CONTROL) continue;
    // An agent that tells of more than it may serve is not to be believed.
    if (ends.size() >= rpc::MAX_LANES) break;
    auto request = agent.endLanesRequest();
    request.initWhich().setLane(lane.getLane());
    ends.add(request.send().ignoreResult());
  }
  co_await kj::joinPromises(ends.releaseAsArray());
}

kj::Promise<void> Machine::pause() {
  co_await vm->pause();
  if (isWithoutStreams()) mayHaveEarlier = false;
}

kj::Promise<void> Machine::resume() {
  co_await vm->resume();
  openLanes();
}

void Machine::openLanes() {
  if (!areLanesClosed || isRetired()) return;
  areLanesClosed = false;
  reopenPause = LEAST_REOPEN_PAUSE;
}

kj::Promise<kj::Maybe<Machine::Woken>> Machine::wakeGuest(kj::Date now,
                                                          kj::Array<const kj::byte> seed) {
  auto agent = co_await control();
  auto request = agent.wakeRequest();
  request.setRealtimeNanos((now - kj::UNIX_EPOCH) / kj::NANOSECONDS);
  request.setSeed(seed);
  kj::Maybe<Woken> woken;
  co_await request.send().then(
      [&woken](auto&& answer) {
        woken = Woken{answer.getBehindNanos() * kj::NANOSECONDS, answer.getThawed()};
      },
      [](kj::Exception&& e) {
        if (e.getType() != kj::Exception::Type::UNIMPLEMENTED) kj::throwFatalException(kj::mv(e));
      });
  co_return woken;
}

kj::Promise<void> Machine::freezeGuest(kj::Date now, kj::Duration thawAfter) {
  auto retired = []() { return KJ_EXCEPTION(DISCONNECTED, "the workspace's machine has stopped"); };
  if (isRetired()) kj::throwFatalException(retired());
  auto agent = co_await KJ_ASSERT_NONNULL(link)->control();
  auto request = agent.freezeRequest();
  request.setRealtimeNanos((now - kj::UNIX_EPOCH) / kj::NANOSECONDS);
  request.setThawAfterMillis(thawAfter / kj::MILLISECONDS);
  co_await request.send().ignoreResult().catch_([](kj::Exception&& e) -> kj::Promise<void> {
    switch (e.getType()) {
      case kj::Exception::Type::UNIMPLEMENTED:
        return KJ_EXCEPTION(FAILED, "its agent is too old for that: stop and start it");
      case kj::Exception::Type::FAILED:
        // In words of ours: those of an agent are its guest's.
        return KJ_EXCEPTION(FAILED, "its programs do not stand still: one waits for a device");
      default:
        return kj::mv(e);
    }
  });
  if (isRetired()) kj::throwFatalException(retired());
  KJ_ASSERT_NONNULL(link)->rest("the workspace is hibernated");
}

void Machine::noteClosed(uint64_t lane, rpc::AgentEvent::What what) {
  KJ_IF_MAYBE (leftOut, closeLines.next()) {
    const auto why = wordFor(what);
    KJ_LOG(INFO, "the agent has closed a lane", workspace, lane, why);
    if (*leftOut > 0) KJ_LOG(INFO, "others that it has closed are left out", workspace, *leftOut);
  }
}

void Machine::noteMissed(uint64_t count) {
  if (missedLines.next() != nullptr) {
    KJ_LOG(INFO, "the agent did not keep all that it had to report until it was asked", workspace,
           count);
  }
}

void Machine::noteLoss(kj::StringPtr why) {
  const auto now = timer.now();
  if (lossLines.next() != nullptr) {
    KJ_LOG(INFO, "the control lane of a machine is lost", workspace, why);
  }
  KJ_IF_MAYBE (last, lastLoss) {
    if (now - *last >= 2 * MOST_REOPEN_PAUSE) reopenPause = LEAST_REOPEN_PAUSE;
  }
  lastLoss = now;
  // It may be what calls this.
  if (isReopening) return;
  isReopening = true;
  reopening = reopen().eagerlyEvaluate(
      [](kj::Exception&& e) { KJ_LOG(ERROR, "a control lane stays lost", e.getDescription()); });
}

kj::Promise<void> Machine::reopen() {
  KJ_DEFER(isReopening = false);
  for (;;) {
    co_await timer.afterDelay(reopenPause);
    if (isRetired() || areLanesClosed || isLinked()) co_return;
    // One that stands still answers no dial.
    if (isStalled()) continue;
    reopenPause = kj::min(2 * reopenPause, MOST_REOPEN_PAUSE);
    co_await requireLink().tryControl().catch_([](kj::Exception&&) {});
    if (isLinked()) co_return;
  }
}

void Machine::retire() {
  reopening = nullptr;
  link = nullptr;
  for (auto& waiter : awaitingHalt) {
    waiter->reject(KJ_EXCEPTION(DISCONNECTED, "the workspace's machine has stopped"));
  }
  awaitingHalt.clear();
}

}  // namespace bothy
