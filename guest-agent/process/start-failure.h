#pragma once

#include <kj/string.h>

#include "process/spawn.h"
#include "schema/process.capnp.h"

namespace bothy {

// StartFailure of process.capnp as a value.
struct StartFailure {
  rpc::StartFailure::Reason reason;
  kj::String subject = {};
  int errorNumber = 0;
  kj::String detail = {};
  uint64_t bytes = 0;
  uint64_t limitBytes = 0;

  void writeTo(rpc::StartFailure::Builder builder) const;
};

// What argv and environment cost, as execve(2) counts it.
struct ArgumentSize {
  uint64_t longest = 0;  // a text with its NUL
  uint64_t total = 0;    // all of them, and 8 bytes each

  static ArgumentSize of(const SpawnRequest& request);
  // Of a command that is too long for the kernel, and for us anyway.
  StartFailure refuse(kj::StringPtr program) const;
};

// What a failed spawn means to whoever gave the command.
StartFailure explain(const SpawnFailure& failure, kj::StringPtr program,
                     kj::StringPtr workingDirectory, ArgumentSize size);

}  // namespace bothy
