#pragma once

#include "process/program-input.h"
#include "schema/stream.capnp.h"

namespace bothy {

// Serves a program's standard input as a ByteSink, whose writer it becomes.
enum class WhenDropped { CLOSE, KEEP };
rpc::ByteSink::Client newInputSink(kj::Own<ProgramInput> input, WhenDropped whenDropped);

}  // namespace bothy
