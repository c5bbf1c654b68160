// Hibernation, and the way back.

#include <kj/debug.h>

#include "workspace/host-room.h"
#include "workspace/operations/stored-operation.h"
#include "workspace/operations/wake-operation.h"
#include "workspace/workspace.h"

namespace bothy {

kj::Promise<Workspace::Turn> Workspace::beginHibernate(Turn turn, kj::String actor,
                                                       kj::Maybe<kj::String> whyIdle) {
  const auto cause = whyIdle == nullptr ? Cause::REQUEST : Cause::IDLE;
  co_await journal.transition(askedBy(actor, HibernateOperation::beginning(site, cause)), cause,
                              kj::mv(whyIdle).orDefault(kj::String()));
  begin(storedOperation(site));
  co_return kj::mv(turn);
}

kj::Promise<Workspace::HibernateOutcome> Workspace::hibernate(kj::StringPtr actor,
                                                              kj::Maybe<ByRule> rule) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  switch (replyTo(Wish::HIBERNATE, state())) {
    case Reply::ALREADY:
      co_return Hibernated();
    case Reply::BUSY:
    case Reply::SUPERSEDE:
      co_return Busy{state()};
    case Reply::BEGIN: {
      if (whyUnreachable.size() > 0) co_return NotHibernated{kj::str(whyUnreachable), false};
      uint32_t memoryMib = 0;
      KJ_IF_MAYBE (boot, journal.machine()) memoryMib = boot->memoryMib;
      const auto wantedMib = bytesOfMemory(memoryMib) >> 20;
      KJ_IF_MAYBE (shortage, co_await shortageOfRoom(world, capacity, wantedMib)) {
        co_return kj::mv(*shortage);
      }
      if (!isDue(rule)) co_return Busy{state()};
      turn = co_await keepOn(beginHibernate(kj::mv(turn), kj::str(actor), detailOf(rule)));
      break;
    }
    case Reply::JOIN:
      if (runner.current() == nullptr) co_return Busy{state()};
      break;
  }
  auto operation = underWay<HibernateOperation>();
  // As long as the largest memory takes, and then the time of a call.
  auto ending = endOnceDecided(*operation);
  turn = nullptr;
  auto ended = co_await ending;
  if (ended == nullptr) co_return underwayOf(*operation);
  KJ_IF_MAYBE (kind, KJ_ASSERT_NONNULL(ended).supersededBy) co_return supersededBy(*kind);
  KJ_IF_MAYBE (why, operation->failure()) {
    co_return NotHibernated{kj::str(*why), operation->noSpace()};
  }
  co_return Hibernated();
}

kj::Promise<Workspace::StartOutcome> Workspace::outcomeOfWake(kj::Own<void> listening) {
  auto self = addRef();
  auto operation = underWay<WakeOperation>();
  auto ended = co_await endOnceDecided(*operation);
  if (ended == nullptr) co_return underwayOf(*operation);
  KJ_IF_MAYBE (kind, KJ_ASSERT_NONNULL(ended).supersededBy) co_return supersededBy(*kind);
  KJ_IF_MAYBE (next, operation->next()) {
    co_return co_await outcomeOf(kj::addRef(kj::downcast<StartOperation>(*next)),
                                 kj::mv(listening));
  }
  auto report = kj::refcounted<StartReport>();
  KJ_IF_MAYBE (why, operation->failure()) {
    report->failure =
        StartReport::Failure{Stage::RESUMING, StartFault::OTHER, kj::str(*why), nullptr};
  }
  co_return kj::mv(report);
}

}  // namespace bothy
