#include "wire/message-shape.h"

#include <kj/debug.h>

namespace bothy {
namespace {

using capnp::rpc::Message;
using Peer = GuardRules::Peer;

// Numbers from here on are of calls that need no answer (onlyPromisePipeline): see isHigh() in Cap'n Proto's rpc.c++.
constexpr uint32_t FIRST_UNASKED = 1u << 31;

bool mayCome(Peer peer, Message::Which kind) {
  switch (kind) {
    case Message::ABORT:
    case Message::RETURN:
      return true;
    case Message::UNIMPLEMENTED:
    case Message::CALL:
    case Message::FINISH:
    case Message::RESOLVE:
    case Message::RELEASE:
      return peer != Peer::ONLY_ANSWERS;
    case Message::BOOTSTRAP:
      return peer == Peer::ASKS;
    default:
      // Also a Disembargo: it is for a capability that came back to the end that gave it, which none does here, and the RPC system
      // keeps each until the call that it means is answered.
      return false;
  }
}

void requireShort(capnp::rpc::PromisedAnswer::Reader answer) {
  KJ_REQUIRE(answer.getTransform().size() <= MAX_TRANSFORM,
             "the peer means something that lies too deep in an answer");
}

void requireShort(capnp::rpc::MessageTarget::Reader target) {
  if (target.isPromisedAnswer()) requireShort(target.getPromisedAnswer());
}

void requireAllowed(capnp::rpc::CapDescriptor::Reader descriptor) {
  // The RPC system would import its vine.  There are two parties here.
  KJ_REQUIRE(!descriptor.isThirdPartyHosted(), "the peer offers a capability of a third party");
  // It could be kept by the very object that it stands for, which nothing would free then: not even the end of the connection.
  KJ_REQUIRE(!descriptor.isReceiverHosted() && !descriptor.isReceiverAnswer(),
             "the peer gives back a capability of ours");
}

void requireAllowed(capnp::rpc::Payload::Reader payload) {
  auto table = payload.getCapTable();
  KJ_REQUIRE(table.size() <= MAX_CAPABILITIES, "the peer sends too many capabilities in a message");
  for (auto descriptor : table) requireAllowed(descriptor);
}

void requireAllowed(capnp::rpc::Call::Reader call) {
  KJ_REQUIRE(call.getSendResultsTo().isCaller(), "the peer wants results sent elsewhere");
  // It would not be known when such a call ends.
  KJ_REQUIRE(!call.getOnlyPromisePipeline(), "the peer wants a call without a Return");
  requireShort(call.getTarget());
  requireAllowed(call.getParams());
}

void requireAllowed(capnp::rpc::Return::Reader answer) {
  // The RPC system asks no question with such a number here, and ignores what answers one.
  KJ_REQUIRE(answer.getAnswerId() < FIRST_UNASKED, "the peer answers what nobody asked");
  if (answer.isResults()) requireAllowed(answer.getResults());
}

void requireAllowed(capnp::rpc::Resolve::Reader resolve) {
  if (!resolve.isCap()) return;
  requireAllowed(resolve.getCap());
  // It could be the same one, or lead back to it: the RPC system follows them without end.
  KJ_REQUIRE(!resolve.getCap().isSenderPromise(), "the peer resolves a promise to another");
}

}  // namespace

void requireShape(Message::Reader message, Peer peer) {
  KJ_REQUIRE(mayCome(peer, message.which()), "the peer may not send a message of this kind",
             static_cast<int>(message.which()));
  switch (message.which()) {
    case Message::CALL:
      return requireAllowed(message.getCall());
    case Message::RETURN:
      return requireAllowed(message.getReturn());
    case Message::RESOLVE:
      return requireAllowed(message.getResolve());
    default:
      return;
  }
}

bool isGiven(capnp::rpc::CapDescriptor::Reader descriptor) {
  return descriptor.isSenderHosted() || descriptor.isSenderPromise();
}

kj::uint capabilitiesOf(capnp::rpc::Payload::Reader payload) {
  kj::uint count = 0;
  for (auto descriptor : payload.getCapTable()) {
    if (isGiven(descriptor)) ++count;
  }
  return count;
}

}  // namespace bothy
