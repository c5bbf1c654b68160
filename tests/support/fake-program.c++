#include "support/fake-program.h"

#include <kj/debug.h>
#include <stdlib.h>

namespace bothy {

// `Processes` with one program, of which everything can be had.
class FakeProcesses final: public rpc::Processes::Server {
public:
  explicit FakeProcesses(FakeProgram& program) : program(program) {}

  kj::Promise<void> exec(ExecContext context) override {
    auto params = context.getParams();
    auto command = params.getCommand();
    auto argv = command.getArgv();
    program.command = kj::strArray(argv, " ");
    program.user = kj::str(command.getUser());
    program.environment = kj::strArray(
        KJ_MAP(e, command.getEnvironment()) { return kj::str(e.getName(), "=", e.getValue()); },
        " ");
    auto results = context.getResults();
    kj::StringPtr name = argv[0];
    if (name != "cat" && name != "exit" && name != "kill" && name != "talk" && name != "sleep") {
      auto failed = results.initOutcome().initFailed();
      failed.setReason(name == "locked" ? rpc::StartFailure::Reason::PROGRAM_NOT_EXECUTABLE
                                        : rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
      failed.setSubject(name);
      return kj::READY_NOW;
    }
    results.initOutcome().setStarted();
    if (params.getKeep() && !program.neverKept) results.setId(ID);
    auto paf = kj::newPromiseAndFulfiller<void>();
    program.end = kj::mv(paf.fulfiller);
    program.code = 0;
    program.timedOut = command.getTimeoutMillis() > 0;
    if (program.timedOut) program.end->fulfill();
    if (name == "exit" || name == "kill") {
      program.code = atoi(argv[1].cStr()) + (name == "kill" ? SIGNAL_BASE : 0);
      program.end->fulfill();
    }
    if (name == "talk") {
      paf.promise =
          say(params.getStdout(), "to output\n").then([errors = params.getStderr()]() mutable {
            return say(errors, "to errors \xff\n");
          });
    }
    program.ending = paf.promise.fork();
    results.setStdin(kj::heap<Input>(program, params.getStdout()));
    results.setProcess(kj::heap<Process>(program));
    return kj::READY_NOW;
  }

  kj::Promise<void> reattach(ReattachContext context) override {
    auto params = context.getParams();
    auto results = context.getResults();
    if (params.getId() != ID || program.forgotten) {
      results.initOutcome().setAbsent();
      return kj::READY_NOW;
    }
    results.initOutcome().setAttached();
    results.setStdinReceived(program.input.size());
    results.setStdin(kj::heap<Input>(program, params.getStdout()));
    results.setProcess(kj::heap<Process>(program));
    return say(params.getStdout(), program.said.slice(params.getStdoutFrom()));
  }

private:
  static constexpr uint64_t ID = 0x1234567890abcdef;
  static constexpr int SIGNAL_BASE = 128;

  // Of "cat"; others do not read it.
  class Input final: public rpc::ByteSink::Server {
  public:
    Input(FakeProgram& program, rpc::ByteSink::Client output)
        : program(program), output(kj::mv(output)) {}

    kj::Promise<void> write(WriteContext context) override {
      auto data = context.getParams().getData();
      program.input = kj::str(program.input, kj::heapString(data.asChars()));
      if (program.command != "cat") return kj::READY_NOW;
      program.said = kj::str(program.input);
      auto request = output.writeRequest();
      request.setData(data);
      return request.send();
    }
    kj::Promise<void> end(EndContext context) override {
      program.inputEnded = true;
      if (program.command == "cat") program.end->fulfill();
      return kj::READY_NOW;
    }

  private:
    FakeProgram& program;
    rpc::ByteSink::Client output;
  };

  class Process final: public rpc::Process::Server {
  public:
    explicit Process(FakeProgram& program) : program(program) {}
    ~Process() noexcept(false) { program.dropped = true; }

    kj::Promise<void> wait(WaitContext context) override {
      co_await KJ_ASSERT_NONNULL(program.ending).addBranch();
      auto status = context.getResults().initStatus();
      if (program.timedOut) {
        status.setTimedOut();
      } else if (program.code >= SIGNAL_BASE) {
        status.setKilled(static_cast<uint8_t>(program.code - SIGNAL_BASE));
      } else {
        status.setExited(static_cast<uint8_t>(program.code));
      }
    }
    kj::Promise<void> signal(SignalContext context) override {
      auto number = context.getParams().getNumber();
      program.signals.add(number);
      context.getResults().setDelivered(true);
      // SIGINT is one that the program has a handler for.
      if (number != 2 && program.command == "sleep") {
        program.code = SIGNAL_BASE + number;
        program.end->fulfill();
      }
      return kj::READY_NOW;
    }
    kj::Promise<void> end(EndContext context) override {
      program.ended = true;
      return kj::READY_NOW;
    }

  private:
    FakeProgram& program;
  };

  FakeProgram& program;

  static kj::Promise<void> say(rpc::ByteSink::Client sink, kj::StringPtr text) {
    auto request = sink.writeRequest();
    request.setData(text.asBytes());
    return request.send();
  }
};

rpc::Processes::Client FakeProgram::serve() {
  return kj::heap<FakeProcesses>(*this);
}

}  // namespace bothy
