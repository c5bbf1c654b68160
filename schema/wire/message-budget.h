#pragma once

#include "wire/message-guard.h"

namespace bothy {

// What the guarded connections of one process hold together of their peers' messages: calls that are not answered, answers that are not
// read, and parts of messages.  Its policy:
//
// 1. A message of one read is always read, whatever others hold, but of a peer that leaves too many answers unread; and of one with
//    `shareCalls` calls waiting, while there is room.
// 2. There is room while all hold less than `maxBytes` and the connections of its holder less than `maxHolderBytes`; or, where all hold
//    more, up to `mostBytes`, while its holder's hold less than `littleBytes`.
// 3. The rest of a larger message is read while its connection's messages come to less than `shareBytes`, or while there is room.
// 4. One that is held up so for MOST_STANDSTILL makes others give, one after the other until there is room: of its own holder's
//    connections those that stand still; and, unless its holder has all that it may, of holders who hold more those that stand still, or
//    any where they hold more than `maxHolderBytes`.  The greatest of the holder who holds most is first.  Nobody else ends for another.
// 5. One that is held up so for MOST_WAIT ends.
// 6. Where what is held grows beyond `mostBytes`, the greatest connection of the holder who holds most ends.
//
// A connection stands still that holds `shareBytes` or more of messages, and whose peer sends or takes next to nothing: see MessagePart.
class MessageBudget {
public:
  struct Limits {
    // Of all, in bytes, and of one holder's connections together.
    size_t maxBytes;
    size_t maxHolderBytes = kj::maxValue;
    size_t littleBytes = 0;
    // Of one connection.  Calls that wait take nothing of the bytes, but for what they have above MessageGuard::SMALL_CALL_BYTES.
    size_t shareBytes;
    kj::uint shareCalls = kj::maxValue;
    // Of all, with what is read without room.
    size_t mostBytes = kj::maxValue;
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

  // For its next message, or for the next of the one in part.
  bool hasRoomFor(MessageGuard& guard);
  // For one that has been held up for so long.
  void makeRoomFor(MessageGuard& waiting, kj::Duration heldUp);
  void cutBeyond();

  bool hasRoom(kj::StringPtr holder);
  size_t heldBy(kj::StringPtr holder);
  // Of those that may, the one that holds most of the holder who holds most; `mayGive` is told how much that is.
  kj::Maybe<MessageGuard&> greatest(kj::FunctionParam<bool(MessageGuard&, size_t)> mayGive);
};

}  // namespace bothy
