// The `bothy` command: its composition root.

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>

#include "command/command.h"
#include "console/standard-stream.h"
#include "supervisor/session-connector.h"
#include "wire/event-loop.h"

namespace bothy {
namespace {

constexpr int END_SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};

void capture(int number) {
  // What the caller ignores (nohup) stays ignored.
  struct sigaction action{};
  KJ_SYSCALL(sigaction(number, nullptr, &action));
  if (action.sa_handler != SIG_IGN) kj::UnixEventPort::captureSignal(number);
}

class ProcessSignals final: public Signals {
public:
  explicit ProcessSignals(kj::UnixEventPort& port) : port(port) {}

  void takeQuit() override {
    takesQuit = true;
    capture(SIGQUIT);
  }

  kj::Promise<int> next() override {
    kj::Promise<int> promise = kj::NEVER_DONE;
    for (int number : END_SIGNALS) promise = promise.exclusiveJoin(wait(number));
    if (takesQuit) promise = promise.exclusiveJoin(wait(SIGQUIT));
    return promise;
  }

private:
  kj::Promise<int> wait(int number) {
    co_await port.onSignal(number);
    co_return number;
  }

  kj::UnixEventPort& port;
  bool takesQuit = false;
};

kj::StringPtr environment(const char* name, kj::StringPtr fallback) {
  const char* value = getenv(name);
  return value == nullptr || *value == 0 ? fallback : kj::StringPtr(value);
}

// The number of a standard stream that the caller has closed is given to no other file.  Input and output fail where they are used
// (P16); errors go nowhere: who closes them wants none, and not that the first one ends the command.
void holdStandardStreams() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest number that is free, which is this one; of input and output for the wrong direction.
    KJ_SYSCALL(open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY));
  }
}

int run(kj::ArrayPtr<const kj::StringPtr> arguments) {
  holdStandardStreams();
  // Only for the width of characters: messages are in English everywhere.
  setlocale(LC_CTYPE, "");
  for (int number : END_SIGNALS) capture(number);
  RawTerminal::captureSignals();

  auto io = setupEventLoop();
  MessageOutput out(STDOUT_FILENO);
  MessageOutput errors(STDERR_FILENO);
  Console console(out, errors,
                  {.outIsTerminal = isatty(STDOUT_FILENO) == 1,
                   .errorsAreTerminal = isatty(STDERR_FILENO) == 1});
  SocketConnector socketConnector(*io.lowLevelProvider, io.provider->getTimer(),
                                  environment("BOTHY_SOCKET", SocketConnector::DEFAULT_SOCKET),
                                  [&console](kj::StringPtr text) { console.note(text); });
  SessionConnector connector(socketConnector,
                             environment("BOTHY_SESSION_SOCKET", SessionConnector::DEFAULT_SOCKET),
                             environment("BOTHY_SESSION", ""));
  RawTerminal terminal(io.unixEventPort, STDIN_FILENO, STDOUT_FILENO);
  ProcessSignals signals(io.unixEventPort);
  StandardInput standardInput(io.unixEventPort, STDIN_FILENO);
  StandardOutput standardOutput(io.unixEventPort, STDOUT_FILENO);
  StandardOutput standardError(io.unixEventPort, STDERR_FILENO);
  Context context{.console = console,
                  .connector = connector,
                  .terminal = terminal,
                  .signals = signals,
                  .timer = io.provider->getTimer(),
                  .io = *io.lowLevelProvider,
                  .eventPort = io.unixEventPort,
                  .input = standardInput,
                  .output = standardOutput,
                  .errors = standardError,
                  .terminalType = environment("TERM", "")};
  return runCommand(context, arguments).wait(io.waitScope);
}

}  // namespace
}  // namespace bothy

int main(int argc, char* argv[]) {
  kj::Vector<kj::StringPtr> arguments;
  for (int i = 1; i < argc; ++i) arguments.add(argv[i]);
  int code = 1;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&] { code = bothy::run(arguments); })) {
    KJ_LOG(ERROR, *exception);
  }
  return code;
}
