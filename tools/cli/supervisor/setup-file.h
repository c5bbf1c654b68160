#pragma once

#include <capnp/message.h>

#include "schema/setup.capnp.h"

namespace bothy {

// Reads the steps of a file as `bothy create --setup` takes it, with the files that it names, and its variables.  Fails with what is wrong in which step.
void readSetupFile(kj::StringPtr path, capnp::MallocMessageBuilder& message);
// The same of its text.  `directory`: where local files begin.
void parseSetup(kj::StringPtr text, kj::StringPtr directory, rpc::Configuration::Builder result);

}  // namespace bothy
