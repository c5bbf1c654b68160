#include "support/fake-program.h"

#include <stdlib.h>

namespace bothy {
namespace {

class CatInput final: public rpc::ByteSink::Server {
public:
  CatInput(FakeProgram& program, rpc::ByteSink::Client output,
           kj::Own<kj::PromiseFulfiller<void>> ended)
      : program(program), output(kj::mv(output)), ended(kj::mv(ended)) {}

  kj::Promise<void> write(WriteContext context) override {
    auto request = output.writeRequest();
    request.setData(context.getParams().getData());
    return request.send();
  }
  kj::Promise<void> end(EndContext context) override {
    program.inputEnded = true;
    ended->fulfill();
    return kj::READY_NOW;
  }

private:
  FakeProgram& program;
  rpc::ByteSink::Client output;
  kj::Own<kj::PromiseFulfiller<void>> ended;
};

class ProcessServer final: public rpc::Process::Server {
public:
  ProcessServer(FakeProgram& program, kj::Promise<void> ending, int code)
      : program(program), code(code), ending(ending.fork()) {}
  ProcessServer(FakeProgram& program, int code) : ProcessServer(program, kj::READY_NOW, code) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    killed = kj::mv(paf.fulfiller);
    ending = paf.promise.fork();
  }
  ~ProcessServer() noexcept(false) { program.dropped = true; }

  kj::Promise<void> wait(WaitContext context) override {
    co_await ending.addBranch();
    auto status = context.getResults().initStatus();
    if (code >= 128) {
      status.setKilled(static_cast<uint8_t>(code - 128));
    } else {
      status.setExited(static_cast<uint8_t>(code));
    }
  }
  kj::Promise<void> signal(SignalContext context) override {
    auto number = context.getParams().getNumber();
    program.signals.add(number);
    context.getResults().setDelivered(true);
    // SIGINT is one that the program has a handler for.
    KJ_IF_MAYBE (k, killed) {
      if (number != 2) {
        code = 128 + number;
        (*k)->fulfill();
      }
    }
    return kj::READY_NOW;
  }

private:
  FakeProgram& program;
  int code;
  kj::ForkedPromise<void> ending;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> killed;
};

class ProcessesServer final: public rpc::Processes::Server {
public:
  explicit ProcessesServer(FakeProgram& program) : program(program) {}

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
    results.initOutcome().setStarted();
    kj::StringPtr name = argv[0];
    auto ended = kj::newPromiseAndFulfiller<void>();
    results.setStdin(kj::heap<CatInput>(program, params.getStdout(), kj::mv(ended.fulfiller)));
    if (name == "cat") {
      results.setProcess(kj::heap<ProcessServer>(program, kj::mv(ended.promise), 0));
    } else if (name == "exit" || name == "kill") {
      int code = atoi(argv[1].cStr()) + (name == "kill" ? 128 : 0);
      results.setProcess(kj::heap<ProcessServer>(program, kj::READY_NOW, code));
    } else if (name == "talk") {
      auto talking = say(params.getStdout(), "to output\n")
                         .then([this, errors = params.getStderr()]() mutable {
                           return say(errors, "to errors \xff\n");
                         });
      results.setProcess(kj::heap<ProcessServer>(program, kj::mv(talking), 0));
    } else if (name == "sleep") {
      results.setProcess(kj::heap<ProcessServer>(program, 0));
    } else {
      auto failed = results.initOutcome().initFailed();
      failed.setReason(name == "locked" ? rpc::StartFailure::Reason::PROGRAM_NOT_EXECUTABLE
                                        : rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
      failed.setSubject(name);
      results.disownStdin();
    }
    return kj::READY_NOW;
  }

private:
  kj::Promise<void> say(rpc::ByteSink::Client sink, kj::StringPtr text) {
    auto request = sink.writeRequest();
    request.setData(text.asBytes());
    return request.send();
  }

  FakeProgram& program;
};

}  // namespace

rpc::Processes::Client FakeProgram::serve() {
  return kj::heap<ProcessesServer>(*this);
}

}  // namespace bothy
