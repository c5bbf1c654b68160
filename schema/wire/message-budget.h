#pragma once

#include "wire/message-guard.h"

namespace bothy {

// What the guarded connections of one process may hold together of their peers' messages: calls that are not answered, answers that are not
// read, and parts of messages.
//
// Each connection has a share that it may use whatever others hold.  Beyond that it is read while there is room in the whole, and in what its
// holder may have; and a holder who has little is still read when the whole is used up.  Where another waits for room, connections end
// whose peers let a message or our writing stand still; and the largest of who holds most, where another has waited for long, or where
// all shares come to more than there is.  And one that waits in vain for what others hold.
class MessageBudget {
public:
  struct Limits {
    // Of all, in bytes, and of one holder's connections together.  From there on each has its share and no more, but for those of a
    // holder whose connections have less than `littleBytes` together.
    size_t maxBytes;
    size_t maxHolderBytes = kj::maxValue;
    size_t littleBytes = 0;
    // A connection's share: bytes of messages, and calls that are not answered, which take nothing of the first but what
    // they have above MessageGuard::SMALL_CALL_BYTES.
    size_t shareBytes;
    kj::uint shareCalls = kj::maxValue;
    // Of all, with what shares come to: beyond it connections end.  Not one that holds no more than `keptBytes`.
    size_t mostBytes = kj::maxValue;
    size_t keptBytes = 0;
  };
  explicit constexpr MessageBudget(const Limits& limits) : limits(limits) {}
  KJ_DISALLOW_COPY_AND_MOVE(MessageBudget);

  // What they hold at this moment.  Of what is sent, from the call on that sends it.
  size_t total();
  // The part of it that peers have not read.
  size_t unread();

  // A connection that holds less looks at no other: what each may have unnoticed beyond `mostBytes`.
  static constexpr size_t LEAST_LOOK_BYTES = 256 * 1024;

private:
  friend class MessageGuard;
  const Limits limits;
  kj::List<MessageGuard, &MessageGuard::link> guards;

  // Whether it may take more, with so much of it unread.  Ends others, or it, where all hold too much.
  bool hasRoomFor(MessageGuard& guard, size_t unread);
  // Ends others, or it, so that it has the room for which it has waited so long, where any of them may be ended.
  void makeRoomFor(const MessageGuard& guard, kj::Duration waited);

  size_t heldBy(kj::StringPtr holder);
  bool hasRoomOf(kj::StringPtr holder);
  // Until they hold no more than `mostBytes`.
  void cutBeyond();
  // Each cuts off one at most, of this holder's or of all, and says whether there was one.  Not that which waits: that would help nobody.
  // Nor one of another holder who holds no more than the one that waits: who fills the whole by himself makes nobody else give.
  //
  // Of those whose peers let stand still what they hold, above their share.
  bool cutStanding(kj::Maybe<kj::StringPtr> holder, const MessageGuard& waiting);
  // Of the holder who holds most, that whose messages come to most above its share and `keptBytes`.
  bool cutGreatest(kj::Maybe<kj::StringPtr> holder, const MessageGuard& waiting);
  // The holder of most, in all.
  kj::StringPtr greatestHolder();
  // That which weighs most of the holder whose weigh most.  What weighs nothing is none.
  kj::Maybe<MessageGuard&> greatest(kj::Maybe<kj::StringPtr> holder,
                                    kj::FunctionParam<size_t(MessageGuard&)> weigh);
};

}  // namespace bothy
