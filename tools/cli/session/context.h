#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/timer.h>

#include "console/console.h"
#include "session/signals.h"
#include "supervisor/connector.h"
#include "tty/local-terminal.h"

namespace bothy {

// All of the outside world that a command works with.
struct Context {
  Console& console;
  Connector& connector;
  LocalTerminal& terminal;
  Signals& signals;
  kj::Timer& timer;
  kj::LowLevelAsyncIoProvider& io;
  kj::UnixEventPort& eventPort;
  // Standard input, output and error, for what a command in a workspace reads and writes.
  kj::AsyncInputStream& input;
  kj::AsyncOutputStream& output;
  kj::AsyncOutputStream& errors;
  kj::StringPtr terminalType;  // TERM; empty: unknown
};

}  // namespace bothy
