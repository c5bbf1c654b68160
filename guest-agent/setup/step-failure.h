#pragma once

#include <kj/string.h>

#include "process/exit-status.h"
#include "process/start-failure.h"
#include "schema/setup.capnp.h"

namespace bothy {

// Why a step has failed; SetupFailure of setup.capnp as a value, and as a line of the journal.
struct StepFailure {
  enum class Kind { OTHER, EXITED, KILLED, TIMED_OUT };
  Kind kind = Kind::OTHER;
  uint8_t number = 0;  // exit code or signal
  kj::String text = nullptr;

  // `text`: one line is made of it, of at most rpc::MAX_SETUP_FAILURE_BYTES.
  static StepFailure other(kj::StringPtr text);
  static StepFailure of(const StartFailure& failure);
  // None: the program has ended well.
  static kj::Maybe<StepFailure> of(const ExitStatus& status);

  // One line, without a line feed.
  kj::String line() const;
  static kj::Maybe<StepFailure> parse(kj::StringPtr line);

  StepFailure clone() const { return {kind, number, kj::str(text)}; }
  void writeTo(rpc::SetupFailure::Builder builder) const;
};

}  // namespace bothy
