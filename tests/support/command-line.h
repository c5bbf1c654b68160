#pragma once

#include "support/supervised-host.h"

namespace bothy {

// The `bothy` program against a test's supervisor.
class CommandLine final {
public:
  struct Result {
    int status;  // exit code, or 128 + the signal
    kj::String out;
    kj::String err;
  };

  explicit CommandLine(SupervisedHost& host) : host(host) {}

  // Where it is, for a shell.
  static kj::StringPtr program();

  // Runs it with no input.
  Result run(kj::ArrayPtr<const kj::StringPtr> arguments);

private:
  SupervisedHost& host;
};

}  // namespace bothy
