#pragma once

#include "process/program-input.h"
#include "schema/stream.capnp.h"

namespace bothy {

// What becomes of a program's input when its sink is dropped before its end.
enum class WhenDropped { CLOSE, KEEP };

// Serves a program's standard input as a ByteSink, whose writer it becomes.
rpc::ByteSink::Client newInputSink(kj::Own<ProgramInput> input, WhenDropped whenDropped);

}  // namespace bothy
