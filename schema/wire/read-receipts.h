#pragma once

#include <capnp/rpc.capnp.h>
#include <kj/map.h>

namespace bothy {

// Which of the messages that were sent the peer of an RPC connection has surely read: those up to the latest that it has
// answered.  That it sends something else proves nothing, since both ends send when they like.
class ReadReceipts final {
public:
  void noteSent(capnp::rpc::Message::Reader message);
  void noteReceived(capnp::rpc::Message::Reader message);

  // Whether one was sent after the last one that has surely been read.
  bool isAnyMissing() const { return sent != read; }

private:
  // Both count messages.
  uint64_t sent = 0;
  uint64_t read = 0;
  // By question of ours that has no Return, and by question of the peer's that has ours and no Finish: the message.
  kj::HashMap<uint32_t, uint64_t> questions;
  kj::HashMap<uint32_t, uint64_t> answers;

  void take(kj::HashMap<uint32_t, uint64_t>& open, uint32_t id);
};

}  // namespace bothy
