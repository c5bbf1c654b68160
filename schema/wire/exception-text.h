#pragma once

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>

#include "wire/guard-rules.h"

namespace bothy {

// Whether `message` carries an exception.
bool hasException(capnp::rpc::Message::Reader message);

// `message`, which carries an exception, with its text replaced by one of ours that keeps its type: what a workspace's user writes
// reaches no client as an error of the supervisor, and nothing is kept of a text that can be as long as a message.
kj::Own<capnp::MessageReader> withNeutralText(capnp::rpc::Message::Reader message,
                                              capnp::ReaderOptions options, GuardRules::Peer peer);

}  // namespace bothy
