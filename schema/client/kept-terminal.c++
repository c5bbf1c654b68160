#include "client/kept-terminal.h"

#include <kj/debug.h>

#include "client/request-id.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

rpc::Terminals::Client terminalsOf(WorkspaceLane& lane) {
  return lane.agent().terminalsRequest().send().getTerminals();
}

kj::Promise<bool> isTooOld(WorkspaceLane& lane) {
  co_return co_await lane.generation() < rpc::STATEFUL_TERMINALS;
}

}  // namespace

KeptTerminal::KeptTerminal(Reconnection& reconnection, Listener& listener,
                           AttachedTerminal::Past past)
    : reconnection(reconnection),
      listener(listener),
      requestId(newRequestId()),
      view(listener, past) {}

kj::Promise<kj::Own<WorkspaceLane>> KeptTerminal::firstLane() {
  kj::Own<WorkspaceLane> first;
  co_await reconnection.begin([&](auto newLane) -> kj::Promise<void> {
    first = kj::mv(newLane);
    return kj::READY_NOW;
  });
  co_return kj::mv(first);
}

kj::Promise<kj::Maybe<KeptTerminal::NotOpened>> KeptTerminal::open(
    kj::Function<void(rpc::Terminals::OpenParams::Builder)> fill) {
  co_await reconnection.begin([&](auto newLane) { return openOver(kj::mv(newLane), fill); });
  KJ_IF_MAYBE (why, unopened) {
    // A copy: mayBeOpen() asks for it.
    KJ_IF_MAYBE (end, why->tryGet<End>()) co_return NotOpened(*end);
    co_return kj::mv(*why);
  }
  listener.onAttached(view.attached());
  co_return nullptr;
}

kj::Promise<void> KeptTerminal::openOver(
    kj::Own<WorkspaceLane> newLane, kj::Function<void(rpc::Terminals::OpenParams::Builder)>& fill) {
  auto& asked = *newLane;
  unopened = nullptr;
  const bool isFirst = startedNanos == nullptr;
  if (startedNanos.orDefault(asked.startedNanos()) != asked.startedNanos()) {
    unopened = NotOpened(End::STARTED_ANEW);
    co_return;
  }
  // One that does not know request ids would open a second terminal.
  if (!isFirst && co_await asked.generation() < rpc::REQUEST_IDS_OF_TERMINALS) {
    unopened = NotOpened(End::IN_DOUBT);
    co_return;
  }
  startedNanos = asked.startedNanos();
  // Also when this is cancelled.
  KJ_DEFER(if (isFirst && asked.wasRefused()) startedNanos = nullptr);
  auto failed = co_await view.open(terminalsOf(asked), [&](auto params) {
    fill(params);
    params.setRequestId(requestId);
  });
  KJ_IF_MAYBE (why, failed) {
    unopened = why->getOutcome().isGone() ? NotOpened(End::ENDED_UNSEEN) : NotOpened(kj::mv(*why));
    co_return;
  }
  // Looked at afterwards, because the agent's Welcome comes no sooner than its answer.
  if (co_await isTooOld(asked)) {
    co_await view.client().closeRequest().send().ignoreResult();
    view.detach();
    unopened = NotOpened(End::AGENT_TOO_OLD);
    co_return;
  }
  lane = kj::mv(newLane);
}

kj::Promise<KeptTerminal::Found> KeptTerminal::openExisting(uint64_t id) {
  auto first = co_await firstLane();
  if (!co_await view.find(terminalsOf(*first), id)) co_return Found::ABSENT;
  if (co_await isTooOld(*first)) co_return Found::AGENT_TOO_OLD;
  co_await view.attach([this](auto size) { listener.fillSize(size); });
  begin(kj::mv(first));
  co_return Found::YES;
}

void KeptTerminal::begin(kj::Own<WorkspaceLane> newLane) {
  startedNanos = newLane->startedNanos();
  lane = kj::mv(newLane);
  listener.onAttached(view.attached());
}

kj::Promise<KeptTerminal::End> KeptTerminal::follow() {
  for (;;) {
    co_await KJ_ASSERT_NONNULL(lane)->onDisconnect().exclusiveJoin(view.onLost());
    if (view.hasExited()) co_return End::EXITED;
    auto lost = kj::mv(KJ_ASSERT_NONNULL(lane));
    leave();
    listener.onLost();
    co_await reconnection.run(kj::mv(lost),
                              [this](auto newLane) { return attachAgain(kj::mv(newLane)); });
    KJ_IF_MAYBE (end, unfollowed) {
      co_return *end;
    }
    listener.onAttached(view.attached());
  }
}

kj::Promise<void> KeptTerminal::attachAgain(kj::Own<WorkspaceLane> newLane) {
  unfollowed = nullptr;
  if (newLane->startedNanos() != KJ_ASSERT_NONNULL(startedNanos)) {
    unfollowed = End::STARTED_ANEW;
    co_return;
  }
  if (!co_await view.find(terminalsOf(*newLane), view.id())) {
    unfollowed = End::ENDED_UNSEEN;
    co_return;
  }
  co_await view.attach([this](auto size) { listener.fillSize(size); });
  lane = kj::mv(newLane);
}

void KeptTerminal::leave() {
  view.detach();
  lane = nullptr;
}

kj::Maybe<rpc::Terminal::Client> KeptTerminal::reached() {
  if (lane == nullptr) return nullptr;
  return view.client();
}

kj::Maybe<rpc::Attachment::Client> KeptTerminal::attached() {
  if (lane == nullptr) return nullptr;
  return view.attached();
}

}  // namespace bothy
