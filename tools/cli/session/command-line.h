#pragma once

#include <kj/string.h>
#include <kj/vector.h>

#include "schema/process.capnp.h"
#include "usage/usage.h"

namespace bothy {

// What to run in a workspace, as the options of exec, shell and up say it.
struct CommandLine {
  kj::StringPtr user;
  kj::StringPtr workingDirectory;
  kj::Vector<kj::StringPtr> environment;  // NAME=VALUE
  kj::Vector<kj::StringPtr> arguments;    // empty: the login shell
  uint64_t timeoutMillis = 0;             // 0: as long as it likes

  // -u, -w, -e.
  void declareOptions(Usage& usage);
  void fill(rpc::Command::Builder command) const;
};

}  // namespace bothy
