#pragma once

#include <kj/common.h>

namespace bothy {

// What a peer that is not trusted may do on an RPC connection.
struct GuardRules {
  // Which kinds of messages it may send.
  enum class Peer {
    ASKS,     // it has a bootstrap capability here, and may offer capabilities of its own
    ANSWERS,  // it offers one; what it is given it may call
    // It is given nothing that it could call, and answers without capabilities but for the first.  How often we ask is the rate at
    // which it may send: the RPC system ends a connection on which an answer comes that nobody asked for, or comes again.
    ONLY_ANSWERS,
  };
  Peer peer;
  // Of one message.
  uint64_t maxMessageWords;
  // Answers that it has not read yet, in bytes: above it nothing more is read from it.
  size_t maxQueueBytes;
  // Calls that it has not finished, and calls whose answers have not left yet.
  kj::uint maxAnswers;
  // Capabilities that it was given and has not given back.
  kj::uint maxExports;
  // Calls whose answers have not left yet: above it nothing more is read from it.
  kj::uint maxUnanswered = kj::maxValue;
};

}  // namespace bothy
