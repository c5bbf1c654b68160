#pragma once

#include "command/command-test-world.h"

namespace bothy {

// A terminal in front of a user.
struct AtTerminal: public CommandTestWorld {
  void show(kj::StringPtr text) {
    supervisor.terminal.output = kj::str(supervisor.terminal.output, text);
    supervisor.terminal.show();
    settle();
  }
  void exit(int code) {
    supervisor.terminal.exitCode = code;
    supervisor.terminal.show();
    settle();
  }
  kj::String typed() { return kj::str(supervisor.terminal.input.asPtr().asChars()); }
};

}  // namespace bothy
