#pragma once

#include <kj/string.h>

#include "process/spawn.h"
#include "schema/process.capnp.h"

namespace bothy {

// As long as the longest path (PATH_MAX).
constexpr size_t MAX_FAILURE_TEXT_BYTES = 4096;

// A text of a client's in a failure: the beginning of it, at most MAX_FAILURE_TEXT_BYTES, for a failure may be kept
// longer than the call that it answers.
class FailureText final {
public:
  FailureText() = default;
  explicit FailureText(kj::StringPtr text);

  kj::StringPtr asPtr() const { return text; }

private:
  kj::String text;
};

// StartFailure of process.capnp as a value.
struct StartFailure {
  rpc::StartFailure::Reason reason;
  FailureText subject = {};
  int errorNumber = 0;
  FailureText detail = {};
  uint64_t bytes = 0;
  uint64_t limitBytes = 0;

  void writeTo(rpc::StartFailure::Builder builder) const;
};

// What argv and environment cost, as execve(2) counts it.
struct ArgumentSize {
  uint64_t longest = 0;  // a text with its NUL
  uint64_t total = 0;    // all of them, and 8 bytes each

  static ArgumentSize of(const SpawnRequest& request);
  // `bytes`: of a text without its NUL.
  void add(size_t bytes);
  // Of a command that is too long for the kernel, and for us anyway.
  StartFailure refuse(kj::StringPtr program) const;
};

// What a failed spawn means to whoever gave the command.
StartFailure explain(const SpawnFailure& failure, kj::StringPtr program,
                     kj::StringPtr workingDirectory, ArgumentSize size);

}  // namespace bothy
