#pragma once

#include <initializer_list>

#include <kj/io.h>
#include <string.h>

#include "command/command.h"
#include "supervisor/session-connector.h"
#include "support/fake-supervisor.h"

namespace bothy {

inline bool contains(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

// The outside world of one command in a test: a fake supervisor, a terminal that nobody sits at, and what
// was printed.
class CommandTestWorld {
public:
  CommandTestWorld();
  ~CommandTestWorld() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(CommandTestWorld);

  // Runs to the end.
  int run(std::initializer_list<kj::StringPtr> arguments);
  int run(kj::ArrayPtr<const kj::StringPtr> arguments);
  // Runs beside the test.
  void start(std::initializer_list<kj::StringPtr> arguments);
  void start(kj::ArrayPtr<const kj::StringPtr> arguments);
  int wait();
  bool isDone() { return running.poll(io.waitScope); }

  // Lets everything happen that can happen without time passing or a signal.
  void settle();
  void advance(kj::Duration duration);
  void type(kj::StringPtr keys);
  void closeInput();
  // Standard input cannot be read any more.
  void breakInput(kj::Exception reason);
  void signal(int number);
  // Standard output and error of what runs in the workspace cannot be written any more.
  void breakOutput(kj::Exception reason);
  // Results go to this descriptor, which is borrowed, as those of a process go to its standard output.
  void printTo(int fd);

  // Standard output and error: messages and what the workspace wrote.
  kj::String out();
  kj::String errors();

  kj::AsyncIoContext io = kj::setupAsyncIo();
  FakeSupervisor supervisor{io};
  bool interactive = false;  // whether a terminal is in front of the user
  bool rawMode = false;      // as the terminal is now
  kj::String undoneAtCrash;  // what a crash would write to it
  LocalTerminal::Size size{100, 30, 0, 0};
  void resize(uint16_t columns, uint16_t rows);

private:
  class TestConnector;
  class TestTerminal;
  class TestSignals;
  class TypedStream;
  class CaptureStream;
  class PrintedStream;

  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Own<PrintedStream> printed;
  kj::VectorOutputStream printedErrors;
  kj::Own<Console> console;
  kj::OneWayPipe inputPipe = kj::newOneWayPipe();
  kj::Own<TypedStream> input;
  kj::Own<CaptureStream> output;
  kj::Own<CaptureStream> errorOutput;
  kj::Own<TestConnector> connector;
  kj::Own<SessionConnector> sessionConnector;
  kj::Own<TestTerminal> terminal;
  kj::Own<TestSignals> signals;
  kj::Own<Context> context;
  kj::Vector<kj::StringPtr> arguments;
  kj::Promise<void> typing = kj::READY_NOW;
  kj::Promise<int> running = nullptr;
};

}  // namespace bothy
