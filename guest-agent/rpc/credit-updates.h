#pragma once

#include <kj/function.h>
#include <kj/list.h>
#include <kj/timer.h>

#include "wire/message-guard.h"
#include "wire/waiters.h"

namespace bothy {

// Sends credit updates (VsockStream::sendCreditUpdate()) on lanes where something written may be unread and nothing has come:
// FIRST_UPDATES of them FIRST_PAUSE apart, then one each LONGEST_PAUSE, or each BLOCKED_PAUSE where more waits to be written.  The
// host's device then notices that the host's end of the lane is gone.  A lane on which all was read needs none.
class CreditUpdates final {
public:
  static constexpr kj::Duration FIRST_PAUSE = 300 * kj::MILLISECONDS;
  static constexpr kj::uint FIRST_UPDATES = 10;
  static constexpr kj::Duration BLOCKED_PAUSE = 600 * kj::MILLISECONDS;
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

    // Until the next look.
    kj::Duration pause() const;

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
  Waiters earlier;
  kj::Promise<void> running;

  kj::Promise<void> run();
};

}  // namespace bothy
