#include "session/terminal-output.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

class NoConnector final: public Connector {
public:
  kj::Own<SupervisorLink> connect() override { KJ_UNIMPLEMENTED("this test connects to nothing"); }
  void useSocket(kj::StringPtr path) override {}
};

class NoTerminal final: public LocalTerminal {
public:
  bool isInteractive() override { return false; }
  kj::Maybe<Size> size() override { return nullptr; }
  kj::Own<void> enterRawMode() override { KJ_UNIMPLEMENTED("there is no terminal"); }
  void undoAtCrash(kj::StringPtr sequence) override {}
  kj::Promise<void> onResize() override { return kj::NEVER_DONE; }
};

class NoSignals final: public Signals {
public:
  void takeQuit() override {}
  kj::Promise<int> next() override { return kj::NEVER_DONE; }
};

// Standard output of somebody who does not read.
class StoppedStream final: public kj::AsyncOutputStream {
public:
  kj::Promise<void> write(const void* buffer, size_t size) override { return kj::NEVER_DONE; }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }
};

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::VectorOutputStream printed;
  Console console{printed, printed, {}};
  NoConnector connector;
  NoTerminal terminal;
  NoSignals signals;
  kj::OneWayPipe input = kj::newOneWayPipe();
  StoppedStream output;
  Context context{.console = console,
                  .connector = connector,
                  .terminal = terminal,
                  .signals = signals,
                  .timer = timer,
                  .io = *io.lowLevelProvider,
                  .eventPort = io.unixEventPort,
                  .input = *input.in,
                  .output = output,
                  .errors = output,
                  .terminalType = ""};
};

TEST_CASE("P06 gaps that nobody reads hold the workspace back, as output does") {
  World world;
  TerminalOutput output(world.context);
  auto showing = output.show().eagerlyEvaluate(nullptr);
  constexpr size_t MOST_GAPS = 100'000;
  size_t gaps = 0;
  bool isHeldBack = false;
  while (!isHeldBack && gaps < MOST_GAPS) {
    auto room = output.skip(10);
    isHeldBack = !room.poll(world.io.waitScope);
    ++gaps;
  }
  CHECK(isHeldBack);
  CHECK(gaps < MOST_GAPS);
}

}  // namespace
}  // namespace bothy
