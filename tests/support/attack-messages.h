#pragma once

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <kj/vector.h>

#include "support/attack.h"

namespace bothy {

// What an attacker writes: RPC messages, or what looks like some.
class AttackMessages final {
public:
  explicit AttackMessages(AttackPlan plan) : plan(plan) {}

  // What comes before the attack: questions that its part allows.
  void begin(kj::Vector<kj::byte>& out);
  // The next of the attack.  There is always one more.
  void next(kj::Vector<kj::byte>& out);
  // Its answer to a question of the peer's.
  void answer(uint32_t question, kj::Vector<kj::byte>& out);

private:
  using Message = capnp::rpc::Message;

  const AttackPlan plan;
  uint32_t questions = 0;
  uint32_t exports = 0;

  bool isClient() const;
  bool isDownload() const;
  // A call with a new question, of whatever the part allows.
  capnp::rpc::Call::Builder addCall(Message::Builder message);
  void setTarget(capnp::rpc::Call::Builder call);
  void nameMethod(capnp::rpc::Call::Builder call);
  void addCapabilities(capnp::rpc::Payload::Builder payload);
  void askForProcess(kj::Vector<kj::byte>& out);
  void addFinish(uint32_t question, kj::Vector<kj::byte>& out);
  void addNested(kj::Vector<kj::byte>& out);
};

}  // namespace bothy
