#include "session/process-session.h"

#include <kj/debug.h>
#include <kj/encoding.h>

#include "console/failure.h"
#include "console/json-text.h"
#include "session/program-feed.h"
#include "session/program-output.h"
#include "session/reconnection.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr size_t MAX_COLLECTED_BYTES = 16 << 20;
constexpr int OUTPUT_CLOSED = SIGNAL_BASE + 13;  // what a program that SIGPIPE ended exits with
// After it the agent has ended the program.
constexpr auto RECONNECT_FOR = rpc::PROCESS_KEEP_MILLIS * kj::MILLISECONDS;
// How long the end of a program that is given up may take to be ordered.
constexpr auto END_LIMIT = 2 * kj::SECONDS;

// With --json: what was written, up to the limit.
class CollectingStream final: public kj::AsyncOutputStream {
public:
  kj::Promise<void> write(const void* buffer, size_t size) override {
    auto data = kj::arrayPtr(static_cast<const kj::byte*>(buffer), size);
    bytes.addAll(data.slice(0, kj::min(MAX_COLLECTED_BYTES - bytes.size(), size)));
    return kj::READY_NOW;
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (auto piece : pieces) co_await write(piece.begin(), piece.size());
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }

  kj::Vector<kj::byte> bytes;
};

kj::String collectedJson(kj::StringPtr name, kj::Vector<kj::byte>& bytes) {
  auto text = kj::heapString(bytes.asPtr().asChars());
  if (kj::encodeUtf16(text).hadErrors) {
    return kj::str(",\"", name, "Base64\":\"", kj::encodeBase64(bytes, false), "\"");
  }
  return kj::str(",\"", name, "\":", jsonString(text));
}

// A program from its start to its end, over as many connections as it takes.
class ProcessSession final {
public:
  ProcessSession(Context& context, kj::StringPtr workspace)
      : context(context),
        workspace(workspace),
        output(context.console.wantsJson() ? collectedOutput : context.output),
        errors(context.console.wantsJson() ? collectedErrors : context.errors) {}
  KJ_DISALLOW_COPY_AND_MOVE(ProcessSession);

  kj::Promise<int> run(const CommandLine& command, ProcessInput input);

private:
  using Ended = capnp::Response<rpc::Process::WaitResults>;
  // The connection over which the program is followed.
  struct Attached {
    kj::Own<SupervisorLink> link;
    kj::Promise<Ended> waiting;
    kj::Promise<void> feeding;
  };

  kj::Promise<Ended> follow(const CommandLine& command, ProcessInput input);
  kj::Promise<void> start(const CommandLine& command, ProcessInput input);
  kj::Promise<void> reattach(kj::Own<SupervisorLink> link, rpc::Workspace::Client workspace);
  kj::Promise<Ended> untilEnd();
  kj::Promise<void> feed(rpc::ByteSink::Client sink, uint64_t from);
  kj::Promise<int> forwardSignals();
  kj::Promise<void> endProgram();
  void printJson(rpc::ExitStatus::Reader status);

  Context& context;
  kj::StringPtr workspace;
  CollectingStream collectedOutput;
  CollectingStream collectedErrors;
  ProgramOutput output;
  ProgramOutput errors;
  ProgramFeed input;
  uint64_t id = 0;
  kj::Maybe<Attached> current;
  // From the moment when its start is asked for; none while the connection is lost.
  kj::Maybe<rpc::Process::Client> process;
};

kj::Promise<int> ProcessSession::run(const CommandLine& command, ProcessInput given) {
  auto showing = output.show().fork(), showingErrors = errors.show().fork();
  // That everything is shown is no end of the program.
  auto closed = [](kj::ForkedPromise<void>& shown) {
    return shown.addBranch().then(
        []() -> kj::Promise<int> { return kj::NEVER_DONE; },
        [](kj::Exception&&) -> kj::Promise<int> { return OUTPUT_CLOSED; });
  };
  auto nobodyReads = closed(showing).exclusiveJoin(closed(showingErrors));
  auto givenUp = nobodyReads.exclusiveJoin(forwardSignals()).then([this](int code) {
    return endProgram().then([code]() { return code; });
  });
  kj::Promise<void> reading = kj::READY_NOW;
  if (given == ProcessInput::FORWARDED) {
    reading = input.read(context.input).eagerlyEvaluate([this](kj::Exception&&) {
      input.finish();  // as if it had ended
    });
  } else {
    input.finish();
  }
  auto ended = follow(command, given).then([&](Ended&& result) {
    output.finish();
    errors.finish();
    auto shown = kj::joinPromises(kj::arr(showing.addBranch(), showingErrors.addBranch()));
    return shown.then([this, result = kj::mv(result)]() {
      if (context.console.wantsJson()) printJson(result.getStatus());
      if (result.getStatus().isTimedOut()) {
        context.console.note("timeout: the command was ended with all it started");
      }
      return exitCodeOf(result.getStatus());
    });
  });
  co_return co_await ended.exclusiveJoin(kj::mv(givenUp));
}

kj::Promise<ProcessSession::Ended> ProcessSession::follow(const CommandLine& command,
                                                          ProcessInput given) {
  co_await start(command, given);
  Reconnection reconnection(context, workspace, RECONNECT_FOR,
                            [this](kj::StringPtr text) { context.console.note(text); });
  for (;;) {
    kj::Maybe<Ended> result;
    co_await untilEnd().then([&result](Ended&& ended) { result = kj::mv(ended); },
                             [this](kj::Exception&& exception) {
                               bool isLost =
                                   exception.getType() == kj::Exception::Type::DISCONNECTED;
                               // An agent that knows no `keep` gave no id, and ends the program.
                               if (!isLost || id == 0) kj::throwFatalException(kj::mv(exception));
                             });
    KJ_IF_MAYBE (ended, result) {
      co_return kj::mv(*ended);
    }
    current = nullptr;
    process = nullptr;
    co_await reconnection.run(
        [this](auto link, auto workspace) { return reattach(kj::mv(link), kj::mv(workspace)); });
  }
}

kj::Promise<void> ProcessSession::start(const CommandLine& command, ProcessInput given) {
  auto link = context.connector.connect();
  auto connectRequest = link->supervisor().connectRequest();
  connectRequest.setName(workspace);
  auto connecting = connectRequest.send();
  auto processes = connecting.getWorkspace().processesRequest().send().getProcesses();
  auto execRequest = processes.execRequest();
  command.fill(execRequest.initCommand());
  execRequest.setStdout(output.newSink());
  execRequest.setStderr(errors.newSink());
  execRequest.setKeep(true);
  auto executing = execRequest.send();
  // One round trip: the wait is asked for before it is known that anything runs.
  auto waiting = process.emplace(executing.getProcess()).waitRequest().send();
  kj::Promise<void> feeding = kj::READY_NOW;
  if (given == ProcessInput::NONE) feeding = feed(executing.getStdin(), 0);

  auto connection = co_await connecting;
  requireConnected(workspace, connection.getOutcome());
  auto execution = co_await executing;
  if (execution.getOutcome().isFailed()) {
    kj::throwFatalException(describeFailure(execution.getOutcome().getFailed()));
  }
  KJ_IF_MAYBE (text, describeStart(execution.getOutcome())) {
    context.console.note(*text);
  }
  id = execution.getId();
  if (given == ProcessInput::FORWARDED) feeding = feed(execution.getStdin(), 0);
  current = Attached{kj::mv(link), kj::mv(waiting), kj::mv(feeding)};
}

kj::Promise<void> ProcessSession::reattach(kj::Own<SupervisorLink> link,
                                           rpc::Workspace::Client client) {
  auto processes = client.processesRequest().send().getProcesses();
  auto request = processes.reattachRequest();
  request.setId(id);
  request.setStdoutFrom(output.position());
  request.setStdout(output.newSink());
  request.setStderrFrom(errors.position());
  request.setStderr(errors.newSink());
  auto answer = co_await request.send();
  if (answer.getOutcome().isAbsent()) {
    kj::throwFatalException(failure(kj::str("the connection to ", workspace,
                                            " was lost for too long, or it was started anew: the ",
                                            "command was ended, and how far it came is not known"),
                                    EXEC_FAILED));
  }
  auto waiting = process.emplace(answer.getProcess()).waitRequest().send();
  auto feeding = feed(answer.getStdin(), answer.getStdinReceived());
  current = Attached{kj::mv(link), kj::mv(waiting), kj::mv(feeding)};
}

kj::Promise<ProcessSession::Ended> ProcessSession::untilEnd() {
  auto& attached = KJ_ASSERT_NONNULL(current);
  auto lost = attached.link->onDisconnect().then(
      []() -> kj::Promise<Ended> { return KJ_EXCEPTION(DISCONNECTED, "the connection was lost"); });
  return kj::mv(attached.waiting).exclusiveJoin(kj::mv(lost));
}

kj::Promise<void> ProcessSession::feed(rpc::ByteSink::Client sink, uint64_t from) {
  return input.sendTo(kj::mv(sink), from).eagerlyEvaluate([](kj::Exception&&) {
    // The program does not read its input any more, which is its right, or the connection was lost.
  });
}

void ProcessSession::printJson(rpc::ExitStatus::Reader status) {
  auto ending = toJson(status);  // {"exited":0}
  context.console.print(kj::str(ending.slice(0, ending.size() - 1),
                                collectedJson("stdout", collectedOutput.bytes),
                                collectedJson("stderr", collectedErrors.bytes), "}\n"));
}

kj::Promise<int> ProcessSession::forwardSignals() {
  int number = co_await context.signals.next();
  KJ_IF_MAYBE (p, process) {
    auto request = p->signalRequest();
    request.setNumber(static_cast<uint8_t>(number));
    // As a terminal would: to what the command has started too.
    request.setScope(rpc::SignalScope::TREE);
    auto sending = request.send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {});
    number = co_await context.signals.next();
  }
  context.console.note("gave up: the command is ended with all it started");
  co_return SIGNAL_BASE + number;
}

kj::Promise<void> ProcessSession::endProgram() {
  KJ_IF_MAYBE (p, process) {
    auto ordered = p->endRequest().send().ignoreResult();
    co_await context.timer.timeoutAfter(END_LIMIT, kj::mv(ordered)).catch_([](kj::Exception&&) {});
  }
}

}  // namespace

kj::Promise<int> runProcess(Context& context, kj::StringPtr workspace, const CommandLine& command,
                            ProcessInput input) {
  ProcessSession session(context, workspace);
  co_return co_await session.run(command, input);
}

}  // namespace bothy
