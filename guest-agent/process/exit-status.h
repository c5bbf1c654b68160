#pragma once

#include <kj/common.h>

#include "schema/process.capnp.h"

namespace bothy {

// How a process ended; ExitStatus of process.capnp as a value.
struct ExitStatus {
  enum class Kind { EXITED, KILLED, LOST, TIMED_OUT };
  Kind kind = Kind::LOST;
  uint8_t number = 0;  // exit code or signal, by `kind`

  // From the status that wait(2) gives.
  static ExitStatus fromWaitStatus(int status);

  void writeTo(rpc::ExitStatus::Builder builder) const;

  bool operator==(const ExitStatus&) const = default;
};

}  // namespace bothy
