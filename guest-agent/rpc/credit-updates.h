#pragma once

#include <kj/function.h>
#include <kj/list.h>
#include <kj/timer.h>

#include "wire/message-guard.h"

namespace bothy {

// Makes the host's device look whether the host's ends of lanes are still there (VsockStream::sendCreditUpdate()): when
// nothing has come for so long though something that was written may not have been read, a few times after the last write, and
// then at longer times.  A lane on which all has surely been read is left alone: the device tells its end.
class CreditUpdates final {
public:
  static constexpr kj::Duration FIRST_PAUSE = 300 * kj::MILLISECONDS;
  static constexpr kj::uint FIRST_UPDATES = 10;
  static constexpr kj::Duration LONGEST_PAUSE = 32 * kj::SECONDS;

  // `timer` outlives it.
  explicit CreditUpdates(kj::Timer& timer);
  KJ_DISALLOW_COPY_AND_MOVE(CreditUpdates);

  // A lane that is looked after for as long as this object lives, which all that it is given outlives.  Something that was written
  // on it may not have been read yet.
  class Lane final {
  public:
    Lane(CreditUpdates& updates, MessageGuard& messages, kj::Function<void()> sendUpdate);
    ~Lane() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Lane);

  private:
    friend class CreditUpdates;

    CreditUpdates& updates;
    MessageGuard& messages;
    kj::Function<void()> sendUpdate;
    kj::ListLink<Lane> link;
    uint64_t received = 0;         // messages, when the wait began
    kj::uint updatesSent = 0;      // since something was written
    kj::Maybe<kj::TimePoint> due;  // none: all has been read

    void noteSent();
    void look();
    void wait(kj::Duration pause);
  };

private:
  kj::Timer& timer;
  kj::List<Lane, &Lane::link> lanes;
  // When it looks next; none: it waits for a lane.
  kj::Maybe<kj::TimePoint> planned;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> earlier;
  kj::Promise<void> running;

  kj::Promise<void> run();
};

}  // namespace bothy
