#include "command/command-test-world.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "console/standard-stream.h"

namespace bothy {

class CommandTestWorld::TestConnector final: public Connector {
public:
  explicit TestConnector(CommandTestWorld& world) : world(world) {}

  kj::Own<SupervisorLink> connect() override {
    if (world.supervisor.down) {
      kj::throwFatalException(passingFailure("bothyd is not running at /test: start it"));
    }
    return linkOver(world.supervisor.connect());
  }
  void useSocket(kj::StringPtr path) override {}

private:
  CommandTestWorld& world;
};

class CommandTestWorld::TestTerminal final: public LocalTerminal {
public:
  explicit TestTerminal(CommandTestWorld& world) : world(world) {}

  bool isInteractive() override { return world.interactive; }
  kj::Maybe<Size> size() override {
    if (!world.interactive) return nullptr;
    return world.size;
  }
  kj::Own<void> enterRawMode() override {
    world.rawMode = true;
    auto restore = kj::defer([this] { world.rawMode = false; });
    return kj::heap(kj::mv(restore));
  }
  void undoAtCrash(kj::StringPtr sequence) override { world.undoneAtCrash = kj::str(sequence); }
  kj::Promise<void> onResize() override {
    auto paf = kj::newPromiseAndFulfiller<void>();
    resized = kj::mv(paf.fulfiller);
    return kj::mv(paf.promise);
  }
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> resized;

private:
  CommandTestWorld& world;
};

class CommandTestWorld::TestSignals final: public Signals {
public:
  void takeQuit() override {}
  kj::Promise<int> next() override {
    auto paf = kj::newPromiseAndFulfiller<int>();
    waiting = kj::mv(paf.fulfiller);
    return kj::mv(paf.promise);
  }
  kj::Maybe<kj::Own<kj::PromiseFulfiller<int>>> waiting;
};

// What is typed, until it is broken.
class CommandTestWorld::TypedStream final: public kj::AsyncInputStream {
public:
  explicit TypedStream(kj::AsyncInputStream& inner) : inner(inner) {
    auto paf = kj::newPromiseAndFulfiller<size_t>();
    breaking = kj::mv(paf.fulfiller);
    broken = paf.promise.fork();
  }
  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override {
    return inner.tryRead(buffer, minBytes, maxBytes).exclusiveJoin(broken.addBranch());
  }

  kj::Own<kj::PromiseFulfiller<size_t>> breaking;

private:
  kj::AsyncInputStream& inner;
  kj::ForkedPromise<size_t> broken = nullptr;
};

// Collects what is written.
class CommandTestWorld::CaptureStream final: public kj::AsyncOutputStream {
public:
  kj::Promise<void> write(const void* buffer, size_t size) override {
    KJ_IF_MAYBE (reason, failure) {
      return kj::cp(*reason);
    }
    bytes.addAll(kj::arrayPtr(static_cast<const char*>(buffer), size));
    return kj::READY_NOW;
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (auto& piece : pieces) co_await write(piece.begin(), piece.size());
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }

  kj::Vector<char> bytes;
  kj::Maybe<kj::Exception> failure;
};

// Results, collected or on their way to a descriptor.
class CommandTestWorld::PrintedStream final: public kj::OutputStream {
public:
  void write(const void* buffer, size_t size) override {
    KJ_IF_MAYBE (real, descriptor) {
      real->write(buffer, size);
    } else {
      collected.write(buffer, size);
    }
  }

  kj::Maybe<MessageOutput> descriptor;
  kj::VectorOutputStream collected;
};

CommandTestWorld::CommandTestWorld()
    : printed(kj::heap<PrintedStream>()),
      console(kj::heap<Console>(*printed, printedErrors, Console::Properties{})),
      input(kj::heap<TypedStream>(*inputPipe.in)),
      output(kj::heap<CaptureStream>()),
      errorOutput(kj::heap<CaptureStream>()),
      connector(kj::heap<TestConnector>(*this)),
      sessionConnector(kj::heap<SessionConnector>(*connector, "/sessions")),
      terminal(kj::heap<TestTerminal>(*this)),
      signals(kj::heap<TestSignals>()),
      context(kj::heap<Context>(Context{.console = *console,
                                        .connector = *sessionConnector,
                                        .terminal = *terminal,
                                        .signals = *signals,
                                        .timer = timer,
                                        .io = *io.lowLevelProvider,
                                        .eventPort = io.unixEventPort,
                                        .input = *input,
                                        .output = *output,
                                        .errors = *errorOutput,
                                        .terminalType = "xterm-test"})) {}

CommandTestWorld::~CommandTestWorld() noexcept(false) {}

void CommandTestWorld::start(std::initializer_list<kj::StringPtr> given) {
  start(kj::arrayPtr(given.begin(), given.size()));
}

void CommandTestWorld::start(kj::ArrayPtr<const kj::StringPtr> given) {
  arguments.clear();
  arguments.addAll(given);
  running = runCommand(*context, arguments).eagerlyEvaluate(nullptr);
  settle();
}

int CommandTestWorld::wait() {
  return running.wait(io.waitScope);
}

int CommandTestWorld::run(std::initializer_list<kj::StringPtr> given) {
  start(given);
  return wait();
}

int CommandTestWorld::run(kj::ArrayPtr<const kj::StringPtr> given) {
  start(given);
  return wait();
}

void CommandTestWorld::settle() {
  // Socket pairs need the event port: a poll gives every message that is on its way one more turn.
  constexpr int TURNS = 30;
  for (int i = 0; i < TURNS; ++i) io.waitScope.poll();
}

void CommandTestWorld::advance(kj::Duration duration) {
  timer.advanceTo(timer.now() + duration);
  settle();
}

void CommandTestWorld::type(kj::StringPtr keys) {
  auto copy = kj::str(keys);
  auto bytes = copy.asBytes();
  typing = typing
               .then([this, bytes, copy = kj::mv(copy)]() mutable {
                 return inputPipe.out->write(bytes.begin(), bytes.size()).attach(kj::mv(copy));
               })
               .eagerlyEvaluate(nullptr);
  settle();
}

void CommandTestWorld::closeInput() {
  typing = typing.then([this]() { inputPipe.out = nullptr; }).eagerlyEvaluate(nullptr);
  settle();
}

void CommandTestWorld::breakInput(kj::Exception reason) {
  input->breaking->reject(kj::mv(reason));
  settle();
}

void CommandTestWorld::signal(int number) {
  auto fulfiller = kj::mv(KJ_REQUIRE_NONNULL(signals->waiting, "nobody waits for signals"));
  signals->waiting = nullptr;
  fulfiller->fulfill(kj::cp(number));
  settle();
}

void CommandTestWorld::breakOutput(kj::Exception reason) {
  output->failure = kj::cp(reason);
  errorOutput->failure = kj::mv(reason);
}

void CommandTestWorld::printTo(int fd) {
  printed->descriptor.emplace(fd);
}

void CommandTestWorld::resize(uint16_t columns, uint16_t rows) {
  size.columns = columns;
  size.rows = rows;
  KJ_REQUIRE_NONNULL(terminal->resized)->fulfill();
  settle();
}

kj::String CommandTestWorld::out() {
  return kj::str(printed->collected.getArray().asChars(), output->bytes.asPtr());
}

kj::String CommandTestWorld::errors() {
  return kj::str(printedErrors.getArray().asChars(), errorOutput->bytes.asPtr());
}

}  // namespace bothy
