#include "client/kept-program.h"

#include <kj/debug.h>

#include "client/request-id.h"

namespace bothy {

KeptProgram::KeptProgram(Reconnection& reconnection, kj::Timer& timer, Streams streams)
    : reconnection(reconnection), timer(timer), streams(streams), requestId(newRequestId()) {}

kj::Promise<KeptProgram::End> KeptProgram::follow(
    kj::Function<void(rpc::Command::Builder)> fill,
    kj::Function<void(rpc::Processes::ExecOutcome::Reader)> onStart) {
  co_await reconnection.begin([&](auto lane) { return start(kj::mv(lane), fill, onStart); });
  for (;;) {
    KJ_IF_MAYBE (end, unfollowed) {
      co_return kj::mv(*end);
    }
    KJ_IF_MAYBE (ended, co_await untilEndOrLoss()) {
      co_return End(kj::mv(*ended));
    }
    auto lost = kj::mv(KJ_ASSERT_NONNULL(current).lane);
    current = nullptr;
    process = nullptr;
    co_await reconnection.run(kj::mv(lost), [this](auto lane) { return reattach(kj::mv(lane)); });
  }
}

// Asks for the start of the program, or again for what became of it.
kj::Promise<void> KeptProgram::start(
    kj::Own<WorkspaceLane> lane, kj::Function<void(rpc::Command::Builder)>& fill,
    kj::Function<void(rpc::Processes::ExecOutcome::Reader)>& onStart) {
  auto& asked = *lane;
  unfollowed = nullptr;
  const bool isFirst = startedNanos == nullptr;
  // A request id holds for one boot: in another the program would be started a second time.
  if (startedNanos.orDefault(asked.startedNanos()) != asked.startedNanos()) {
    unfollowed = End(Lost{});
    co_return;
  }
  startedNanos = asked.startedNanos();
  // Also when this is cancelled.
  KJ_DEFER(if (isFirst && asked.wasRefused()) startedNanos = nullptr);
  ++attempts;
  auto processes = asked.agent().processesRequest().send().getProcesses();
  auto execRequest = processes.execRequest();
  fill(execRequest.initCommand());
  execRequest.setStdoutFrom(streams.output.position());
  execRequest.setStdout(streams.output.newSink());
  execRequest.setStderrFrom(streams.errors.position());
  execRequest.setStderr(streams.errors.newSink());
  execRequest.setKeep(true);
  execRequest.setRequestId(requestId);
  execRequest.setAttempt(attempts);
  const bool hasInput = !streams.input.isEmpty();
  execRequest.setNoStdin(!hasInput);
  auto executing = execRequest.send();
  // One round trip: the wait is asked for, and the input sent, before it is known that anything runs.
  process = nullptr;
  auto waiting = waitFor(process.emplace(executing.getProcess()));
  kj::Promise<void> feeding = kj::READY_NOW;
  const bool isFed = isFirst && hasInput;
  if (isFed) feeding = feed(executing.getStdin(), 0);

  auto execution = co_await executing;
  auto outcome = execution.getOutcome();
  if (outcome.isGone()) {
    unfollowed = End(Lost{});
  } else if (!outcome.isStarted()) {
    unfollowed = End(kj::mv(execution));
  } else {
    onStart(outcome);
    id = execution.getId();
    // One is given without having been asked for by an agent that does not know that, or by an attempt before.
    if (!isFed && execution.hasStdin()) {
      feeding = feed(execution.getStdin(), execution.getStdinReceived());
    }
    current = Attached{kj::mv(lane), kj::mv(waiting), kj::mv(feeding)};
  }
}

kj::Promise<void> KeptProgram::reattach(kj::Own<WorkspaceLane> lane) {
  auto processes = lane->agent().processesRequest().send().getProcesses();
  auto request = processes.reattachRequest();
  request.setId(id);
  request.setAttempt(++attempts);
  request.setStdoutFrom(streams.output.position());
  request.setStdout(streams.output.newSink());
  request.setStderrFrom(streams.errors.position());
  request.setStderr(streams.errors.newSink());
  auto answer = co_await request.send();
  if (answer.getOutcome().isAbsent()) {
    unfollowed = End(Lost{});
    co_return;
  }
  auto waiting = waitFor(process.emplace(answer.getProcess()));
  kj::Promise<void> feeding = kj::READY_NOW;
  if (answer.hasStdin()) feeding = feed(answer.getStdin(), answer.getStdinReceived());
  current = Attached{kj::mv(lane), kj::mv(waiting), kj::mv(feeding)};
}

// The answer comes with the end of the outputs, which may still wait behind what came of them before.
kj::Promise<KeptProgram::Ended> KeptProgram::waitFor(rpc::Process::Client& process) {
  auto request = process.waitRequest();
  request.setAnswersToEnd(rpc::Process::AnswersToEnd::NOT_AWAITED);
  return request.send().then([this](Ended&& result) {
    auto whole = kj::joinPromises(kj::arr(streams.output.onEnd(), streams.errors.onEnd()));
    return whole.then([result = kj::mv(result)]() mutable { return kj::mv(result); });
  });
}

// None: the lane is lost.
kj::Promise<kj::Maybe<KeptProgram::Ended>> KeptProgram::untilEndOrLoss() {
  using Result = kj::Maybe<Ended>;
  auto& attached = KJ_ASSERT_NONNULL(current);
  auto ended = kj::mv(attached.waiting)
                   .then([](Ended&& result) { return Result(kj::mv(result)); },
                         [](kj::Exception&& exception) {
                           if (exception.getType() != kj::Exception::Type::DISCONNECTED) {
                             kj::throwFatalException(kj::mv(exception));
                           }
                           return Result();
                         });
  auto lost = attached.lane->onDisconnect().then([]() { return Result(); });
  return ended.exclusiveJoin(kj::mv(lost));
}

kj::Promise<void> KeptProgram::feed(rpc::ByteSink::Client sink, uint64_t from) {
  return streams.input.sendTo(kj::mv(sink), from).eagerlyEvaluate([](kj::Exception&&) {
    // The program does not read its input any more, which is its right, or the lane was lost.
  });
}

kj::Promise<void> KeptProgram::signal(uint8_t number) {
  KJ_REQUIRE(isReached());
  auto request = KJ_ASSERT_NONNULL(process).signalRequest();
  request.setNumber(number);
  request.setScope(rpc::SignalScope::TREE);
  return request.send().ignoreResult();
}

kj::Promise<void> KeptProgram::end() {
  KJ_IF_MAYBE (p, process) {
    auto ordered = p->endRequest().send().ignoreResult();
    co_await timer.timeoutAfter(END_LIMIT, kj::mv(ordered)).catch_([](kj::Exception&&) {});
  }
}

}  // namespace bothy
