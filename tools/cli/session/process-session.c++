#include "session/process-session.h"

#include <kj/debug.h>
#include <kj/encoding.h>

#include "console/failure.h"
#include "console/json-text.h"
#include "schema/limits.capnp.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr size_t READ_BYTES = 64 << 10;
constexpr size_t MAX_COLLECTED_BYTES = 16 << 20;
constexpr int OUTPUT_CLOSED = SIGNAL_BASE + 13;  // what a program that SIGPIPE ended exits with

// Writes to a stream of this process.  `failed` is fulfilled when nobody reads that any more.
class ForwardingSink final: public rpc::ByteSink::Server {
public:
  ForwardingSink(kj::AsyncOutputStream& stream, kj::PromiseFulfiller<int>& failed)
      : stream(stream), failed(failed) {}

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    return stream.write(data.begin(), data.size()).catch_([this](kj::Exception&& exception) {
      failed.fulfill(int{OUTPUT_CLOSED});
      kj::throwFatalException(kj::mv(exception));
    });
  }
  kj::Promise<void> end(EndContext context) override { return kj::READY_NOW; }

private:
  kj::AsyncOutputStream& stream;
  kj::PromiseFulfiller<int>& failed;
};

class CollectingSink final: public rpc::ByteSink::Server {
public:
  explicit CollectingSink(kj::Vector<kj::byte>& bytes) : bytes(bytes) {}

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    size_t room = MAX_COLLECTED_BYTES - bytes.size();
    bytes.addAll(data.slice(0, kj::min(room, data.size())));
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override { return kj::READY_NOW; }

private:
  kj::Vector<kj::byte>& bytes;
};

kj::String collectedJson(kj::StringPtr name, kj::Vector<kj::byte>& bytes) {
  auto text = kj::heapString(bytes.asPtr().asChars());
  if (kj::encodeUtf16(text).hadErrors) {
    return kj::str(",\"", name, "Base64\":\"", kj::encodeBase64(bytes, false), "\"");
  }
  return kj::str(",\"", name, "\":", jsonString(text));
}

class ProcessSession final {
public:
  ProcessSession(Context& context, kj::StringPtr workspace)
      : context(context), workspace(workspace), outputClosed(kj::newPromiseAndFulfiller<int>()) {}

  kj::Promise<int> run(const CommandLine& command, ProcessInput input);

private:
  kj::Promise<void> forwardInput(rpc::ByteSink::Client sink);
  kj::Promise<int> forwardSignals(rpc::Process::Client process);
  rpc::ByteSink::Client sinkFor(kj::AsyncOutputStream& stream, kj::Vector<kj::byte>& collected);
  void printJson(rpc::ExitStatus::Reader status);

  Context& context;
  kj::StringPtr workspace;
  kj::PromiseFulfillerPair<int> outputClosed;
  kj::Vector<kj::byte> collectedOutput;
  kj::Vector<kj::byte> collectedErrors;
};

kj::Promise<int> ProcessSession::run(const CommandLine& command, ProcessInput input) {
  auto link = context.connector.connect();
  auto connectRequest = link->supervisor().connectRequest();
  connectRequest.setName(workspace);
  auto connecting = connectRequest.send();
  auto processes = connecting.getWorkspace().processesRequest().send().getProcesses();
  auto execRequest = processes.execRequest();
  command.fill(execRequest.initCommand());
  execRequest.setStdout(sinkFor(context.output, collectedOutput));
  execRequest.setStderr(sinkFor(context.errors, collectedErrors));
  auto executing = execRequest.send();
  // One round trip: the wait is asked for before it is known that anything runs.
  auto waiting = executing.getProcess().waitRequest().send();
  if (input == ProcessInput::NONE) {
    executing.getStdin().endRequest().send().ignoreResult().detach([](kj::Exception&&) {});
  }

  auto connection = co_await connecting;
  requireConnected(workspace, connection.getOutcome());
  auto execution = co_await executing;
  if (execution.getOutcome().isFailed()) {
    kj::throwFatalException(describeFailure(execution.getOutcome().getFailed()));
  }
  kj::Promise<void> forwarding = kj::READY_NOW;
  if (input == ProcessInput::FORWARDED) {
    forwarding = forwardInput(execution.getStdin()).eagerlyEvaluate([](kj::Exception&&) {
      // The program does not read its input any more, which is its right.
    });
  }
  auto ended = waiting.then([this](capnp::Response<rpc::Process::WaitResults>&& result) {
    if (context.console.wantsJson()) printJson(result.getStatus());
    return exitCodeOf(result.getStatus());
  });
  co_return co_await ended.exclusiveJoin(forwardSignals(execution.getProcess()))
      .exclusiveJoin(kj::mv(outputClosed.promise));
}

rpc::ByteSink::Client ProcessSession::sinkFor(kj::AsyncOutputStream& stream,
                                              kj::Vector<kj::byte>& collected) {
  if (context.console.wantsJson()) return kj::heap<CollectingSink>(collected);
  return kj::heap<ForwardingSink>(stream, *outputClosed.fulfiller);
}

void ProcessSession::printJson(rpc::ExitStatus::Reader status) {
  auto ending = toJson(status);  // {"exited":0}
  context.console.print(kj::str(ending.slice(0, ending.size() - 1),
                                collectedJson("stdout", collectedOutput),
                                collectedJson("stderr", collectedErrors), "}\n"));
}

kj::Promise<void> ProcessSession::forwardInput(rpc::ByteSink::Client sink) {
  auto buffer = kj::heapArray<kj::byte>(READ_BYTES);
  while (true) {
    size_t count = co_await context.input.tryRead(buffer.begin(), 1, buffer.size());
    if (count == 0) break;
    auto request = sink.writeRequest();
    request.setData(buffer.slice(0, count));
    co_await request.send();
  }
  co_await sink.endRequest().send();
}

kj::Promise<int> ProcessSession::forwardSignals(rpc::Process::Client process) {
  int number = co_await context.signals.next();
  auto request = process.signalRequest();
  request.setNumber(static_cast<uint8_t>(number));
  // As a terminal would: to what the command has started too.
  request.setScope(rpc::SignalScope::TREE);
  auto sending = request.send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {});
  number = co_await context.signals.next();
  context.console.note("gave up: the command is ended with all it started");
  co_return SIGNAL_BASE + number;
}

}  // namespace

kj::Promise<int> runProcess(Context& context, kj::StringPtr workspace, const CommandLine& command,
                            ProcessInput input) {
  ProcessSession session(context, workspace);
  co_return co_await session.run(command, input);
}

}  // namespace bothy
