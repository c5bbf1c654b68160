#pragma once

#include <kj/common.h>

#include "schema/process.capnp.h"

namespace bothy {

// What a tree of processes has taken; Usage of process.capnp as a value.
struct Usage {
  uint64_t cpuMicros = 0;
  uint64_t memoryPeakBytes = 0;
  uint32_t outOfMemory = 0;

  bool operator==(const Usage&) const = default;
};

// How a process ended; ExitStatus of process.capnp as a value.
struct ExitStatus {
  enum class Kind { EXITED, KILLED, LOST, TIMED_OUT };
  Kind kind = Kind::LOST;
  uint8_t number = 0;                // exit code or signal, by `kind`
  kj::Maybe<Usage> usage = nullptr;  // with its tree

  // From the status that wait(2) gives.
  static ExitStatus fromWaitStatus(int status);

  void writeTo(rpc::ExitStatus::Builder builder) const;

  // But for the usage.
  bool operator==(const ExitStatus& other) const {
    return kind == other.kind && number == other.number;
  }
};

}  // namespace bothy
