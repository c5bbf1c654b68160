#pragma once

#include "wire/message-guard.h"

namespace bothy {

// What the guarded connections of one process may hold together of their peers' messages, in bytes: calls that are not
// answered, answers that are not read, and parts of messages.  While that is used up, a connection is read only
// below a share of its own: who holds little is served whatever others hold.
class MessageBudget {
public:
  constexpr MessageBudget(size_t maxBytes, size_t shareBytes)
      : maxBytes(maxBytes), shareBytes(shareBytes) {}
  KJ_DISALLOW_COPY_AND_MOVE(MessageBudget);

  // Whether a connection that holds so much may take more.
  bool hasRoomFor(size_t held) { return held < shareBytes || total() < maxBytes; }
  // What they hold at this moment.  Of what is sent, from the call on that sends it.
  size_t total();
  // The part of it that peers have not read.
  size_t unread();

private:
  friend class MessageGuard;
  const size_t maxBytes;
  const size_t shareBytes;
  kj::List<MessageGuard, &MessageGuard::link> guards;
};

}  // namespace bothy
