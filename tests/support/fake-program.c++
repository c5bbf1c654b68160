#include "support/fake-program.h"

#include <signal.h>

#include <kj/debug.h>
#include <stdlib.h>

namespace bothy {

// `Processes` with one program, of which everything can be had.
class FakeProcesses final: public rpc::Processes::Server {
public:
  explicit FakeProcesses(FakeProgram& program) : program(program) {}

  kj::Promise<void> exec(ExecContext context) override {
    auto params = context.getParams();
    auto results = context.getResults();
    auto requestId = params.getRequestId();
    if (requestId.size() == 0 || requestId != program.requestId) {
      start(params, results);
      if (!results.getOutcome().isStarted()) return kj::READY_NOW;
    } else if (program.forgotten) {
      results.initOutcome().setGone();
      return kj::READY_NOW;
    }
    results.initOutcome().setStarted();
    if (params.getKeep()) results.setId(ID);
    if (program.neverStarts) return kj::NEVER_DONE;
    attach(params, results);
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
    attach(params, results);
    return kj::READY_NOW;
  }

private:
  static constexpr uint64_t ID = 0x1234567890abcdef;
  static constexpr int SIGNAL_BASE = 128;

  // Of "cat"; others do not read it.
  class Input final: public rpc::ByteSink::Server {
  public:
    explicit Input(FakeProgram& program) : program(program), number(++program.writer) {}

    kj::Promise<void> write(WriteContext context) override {
      requireLast();
      auto data = context.getParams().getData();
      program.input = kj::str(program.input, kj::heapString(data.asChars()));
      if (program.command != "cat") return kj::READY_NOW;
      return say(program.output, program.said, kj::heapString(data.asChars()));
    }
    kj::Promise<void> end(EndContext context) override {
      requireLast();
      program.inputEnded = true;
      if (program.command == "cat") program.end->fulfill();
      return kj::READY_NOW;
    }

  private:
    FakeProgram& program;
    const kj::uint number;

    void requireLast() {
      if (number == program.writer) return;
      kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "standard input has another writer"));
    }
  };

  class Process final: public rpc::Process::Server {
  public:
    explicit Process(FakeProgram& program) : program(program) {}
    ~Process() noexcept(false) { program.dropped = true; }

    kj::Promise<void> wait(WaitContext context) override {
      co_await KJ_ASSERT_NONNULL(program.ending).addBranch();
      const bool isAwaited =
          context.getParams().getAnswersToEnd() == rpc::Process::AnswersToEnd::AWAITED;
      for (auto sink : {&program.output, &program.errors}) {
        auto ending = KJ_ASSERT_NONNULL(*sink).endRequest().send().ignoreResult();
        ending = ending.catch_([](kj::Exception&&) {}).eagerlyEvaluate(nullptr);
        if (isAwaited) {
          co_await ending;
        } else {
          ending.detach([](kj::Exception&&) {});
        }
      }
      auto status = context.getResults().initStatus();
      if (program.timedOut) {
        status.setTimedOut();
      } else if (program.code >= SIGNAL_BASE) {
        status.setKilled(static_cast<uint8_t>(program.code - SIGNAL_BASE));
      } else {
        status.setExited(static_cast<uint8_t>(program.code));
      }
      if (program.ranOutOfMemory) {
        auto usage = status.initUsage();
        usage.setCpuMicros(1500);
        usage.setMemoryPeakBytes(300 * 1024 * 1024);
        usage.setOutOfMemory(1);
      }
    }
    kj::Promise<void> signal(SignalContext context) override {
      auto number = context.getParams().getNumber();
      program.signals.add(number);
      context.getResults().setDelivered(true);
      // SIGINT and SIGQUIT are two that the program has a handler for.
      if (number != SIGINT && number != SIGQUIT && program.command == "sleep") {
        program.code = SIGNAL_BASE + number;
        program.end->fulfill();
      }
      return kj::READY_NOW;
    }
    kj::Promise<void> end(EndContext context) override {
      program.ended = true;
      if (program.neverEnds) return kj::NEVER_DONE;
      return kj::READY_NOW;
    }

  private:
    FakeProgram& program;
  };

  FakeProgram& program;

  void start(rpc::Processes::ExecParams::Reader params,
             rpc::Processes::ExecResults::Builder results) {
    auto command = params.getCommand();
    auto argv = command.getArgv();
    program.command = kj::strArray(argv, " ");
    program.user = kj::str(command.getUser());
    program.environment = kj::strArray(
        KJ_MAP(e, command.getEnvironment()) { return kj::str(e.getName(), "=", e.getValue()); },
        " ");
    kj::StringPtr name = argv[0];
    if (name != "cat" && name != "exit" && name != "kill" && name != "talk" && name != "sleep" &&
        name != "hog") {
      auto failed = results.initOutcome().initFailed();
      failed.setReason(name == "locked" ? rpc::StartFailure::Reason::PROGRAM_NOT_EXECUTABLE
                                        : rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
      failed.setSubject(name);
      return;
    }
    results.initOutcome().setStarted();
    ++program.starts;
    program.requestId = kj::str(params.getRequestId());
    program.hasNoStdin = params.getNoStdin();
    program.input = nullptr;
    program.said = nullptr;
    program.saidErrors = nullptr;
    auto paf = kj::newPromiseAndFulfiller<void>();
    program.end = kj::mv(paf.fulfiller);
    program.ending = paf.promise.fork();
    program.code = 0;
    program.inputEnded = program.hasNoStdin && program.knowsNoStdin;
    if (program.inputEnded && name == "cat") program.end->fulfill();
    program.timedOut = command.getTimeoutMillis() > 0;
    if (program.timedOut) program.end->fulfill();
    if (name == "exit" || name == "kill") {
      program.code = atoi(argv[1].cStr()) + (name == "kill" ? SIGNAL_BASE : 0);
    }
    if (name == "talk") {
      program.said = kj::str("to output\n");
      program.saidErrors = kj::str("to errors \xff\n");
    }
    program.ranOutOfMemory = name == "hog";
    if (name == "hog") program.code = SIGNAL_BASE + SIGKILL;
    if (name == "exit" || name == "kill" || name == "talk" || name == "hog") program.end->fulfill();
  }

  template <typename Params, typename Results>
  void attach(Params params, Results results) {
    program.output = params.getStdout();
    program.errors = params.getStderr();
    results.setStdinReceived(program.input.size());
    if (!program.hasNoStdin || !program.knowsNoStdin) results.setStdin(kj::heap<Input>(program));
    results.setProcess(kj::heap<Process>(program));
    if (program.lost > 0) {
      auto request = KJ_ASSERT_NONNULL(program.output).gapRequest();
      request.setLost(program.lost);
      request.send().ignoreResult().detach([](kj::Exception&&) {});
    }
    show(program.output, program.said.slice(params.getStdoutFrom()));
    show(program.errors, program.saidErrors.slice(params.getStderrFrom()));
  }

  static kj::Promise<void> say(kj::Maybe<rpc::ByteSink::Client>& sink, kj::String& said,
                               kj::StringPtr text) {
    said = kj::str(said, text);
    return write(sink, text);
  }

  static void show(kj::Maybe<rpc::ByteSink::Client>& sink, kj::StringPtr text) {
    if (text.size() > 0) write(sink, text).detach([](kj::Exception&&) {});
  }

  // Where nobody takes it, it is had later.
  static kj::Promise<void> write(kj::Maybe<rpc::ByteSink::Client>& sink, kj::StringPtr text) {
    auto request = KJ_ASSERT_NONNULL(sink).writeRequest();
    request.setData(text.asBytes());
    return request.send().catch_([](kj::Exception&&) {});
  }
};

rpc::Processes::Client FakeProgram::serve() {
  return kj::heap<FakeProcesses>(*this);
}

}  // namespace bothy
