#include "wire/exception-text.h"

#include <capnp/serialize.h>
#include <kj/debug.h>

namespace bothy {

using capnp::rpc::Message;
using Peer = GuardRules::Peer;

namespace {

kj::StringPtr textOfAgents(capnp::rpc::Exception::Type type) {
  switch (type) {
    case capnp::rpc::Exception::Type::OVERLOADED:
      return "the workspace is at a limit of its own; try later";
    case capnp::rpc::Exception::Type::DISCONNECTED:
      return "what was asked for in the workspace is gone";
    case capnp::rpc::Exception::Type::UNIMPLEMENTED:
      return "the workspace's agent does not know this method";
    case capnp::rpc::Exception::Type::FAILED:
      break;
  }
  return "the workspace's agent could not do it";
}

kj::StringPtr textOfClients(capnp::rpc::Exception::Type type) {
  switch (type) {
    case capnp::rpc::Exception::Type::OVERLOADED:
      return "the client is at a limit of its own";
    case capnp::rpc::Exception::Type::DISCONNECTED:
      return "the client has gone, or what it gave";
    case capnp::rpc::Exception::Type::UNIMPLEMENTED:
      return "the client does not know this method";
    case capnp::rpc::Exception::Type::FAILED:
      break;
  }
  return "the client could not do it";
}

void replace(capnp::rpc::Exception::Reader theirs, capnp::rpc::Exception::Builder ours, Peer peer) {
  // A type that this build does not know counts as a failure.
  auto type = theirs.getType();
  if (type > capnp::rpc::Exception::Type::UNIMPLEMENTED) {
    type = capnp::rpc::Exception::Type::FAILED;
  }
  ours.setType(type);
  ours.setReason(peer == Peer::ASKS ? textOfClients(type) : textOfAgents(type));
}

}  // namespace

bool hasException(Message::Reader message) {
  switch (message.which()) {
    case Message::ABORT:
      return true;
    case Message::RETURN:
      return message.getReturn().isException();
    case Message::RESOLVE:
      return message.getResolve().isException();
    default:
      return false;
  }
}

// Without trace, and whatever else an exception may carry one day.  Nothing is copied but numbers: structs that share one another
// become as many in a copy as the limits of a message allow.
kj::Own<capnp::MessageReader> withNeutralText(Message::Reader message, capnp::ReaderOptions options,
                                              Peer peer) {
  capnp::MallocMessageBuilder builder;
  auto root = builder.initRoot<Message>();
  switch (message.which()) {
    case Message::ABORT:
      replace(message.getAbort(), root.initAbort(), peer);
      break;
    case Message::RETURN: {
      auto theirs = message.getReturn();
      auto ours = root.initReturn();
      ours.setAnswerId(theirs.getAnswerId());
      ours.setReleaseParamCaps(theirs.getReleaseParamCaps());
      ours.setNoFinishNeeded(theirs.getNoFinishNeeded());
      replace(theirs.getException(), ours.initException(), peer);
      break;
    }
    case Message::RESOLVE:
      root.initResolve().setPromiseId(message.getResolve().getPromiseId());
      replace(message.getResolve().getException(), root.getResolve().initException(), peer);
      break;
    default:
      KJ_UNREACHABLE;
  }
  auto words = capnp::messageToFlatArray(builder);
  auto reader = kj::heap<capnp::FlatArrayMessageReader>(words, options);
  return reader.attach(kj::mv(words));
}

}  // namespace bothy
