#include "setup/setup-helper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

#include "wire/socket-stream.h"

namespace bothy {
namespace {

// Of an answer: no more is said.
constexpr uint32_t MOST_ANSWER_BYTES = 64 * 1024;

}  // namespace

kj::Promise<kj::Own<SetupHelper>> SetupHelper::start(Programs& programs,
                                                     const Directories& directories) {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  kj::AutoCloseFd ours(ends[0]), theirs(ends[1]);
  KJ_SYSCALL(fcntl(ours, F_SETFL, O_NONBLOCK));
  int null;
  KJ_SYSCALL(null = open("/dev/null", O_RDWR | O_CLOEXEC));
  kj::AutoCloseFd nothing(null);
  auto arguments = kj::heapArrayBuilder<kj::String>(4);
  arguments.add(kj::str("bothy-setup"));
  arguments.add(kj::str(SETUP_WORKER));
  arguments.add(kj::str(directories.journal));
  arguments.add(kj::str(directories.logs));
  auto outcome = co_await programs.spawner.spawn(SpawnRequest{
      .programs = kj::arr(kj::str(directories.program)),
      .arguments = arguments.finish(),
      .environment = nullptr,
      .workingDirectory = kj::str("/"),
      .credentials = nullptr,
      .standardFds = {theirs.get(), nothing.get(), nothing.get()},
      .cgroupFd = nullptr,
  });
  KJ_IF_MAYBE (failure, outcome.tryGet<SpawnFailure>()) {
    KJ_FAIL_REQUIRE("what keeps the set-up's journal cannot be started",
                    strerror(failure->errorNumber));
  }
  co_return kj::refcounted<SetupHelper>(programs, directories.limit,
                                        kj::heap<SocketStream>(programs.eventPort, kj::mv(ours)),
                                        kj::mv(outcome.get<SpawnedProcess>()));
}

SetupHelper::SetupHelper(Programs& programs, kj::Duration limit, kj::Own<kj::AsyncIoStream> socket,
                         SpawnedProcess process)
    : timer(programs.timer), limit(limit), socket(kj::mv(socket)) {
  // It ends by itself, with the socket.
  programs.runInBackground(process.exit.ignoreResult());
}

SetupHelper::~SetupHelper() noexcept(false) {}

kj::Promise<void> SetupHelper::send(SetupFrame::Kind kind, uint32_t step,
                                    kj::ArrayPtr<const kj::byte> bytes) {
  const SetupFrame frame = {kind, step, static_cast<uint32_t>(bytes.size())};
  auto text = kj::heapArray<kj::byte>(sizeof(frame) + bytes.size());
  memcpy(text.begin(), &frame, sizeof(frame));
  if (bytes.size() > 0) memcpy(text.begin() + sizeof(frame), bytes.begin(), bytes.size());
  auto written = socket->write(text.begin(), text.size());
  return written.attach(kj::mv(text));
}

kj::Promise<SetupHelper::Answer> SetupHelper::answer() {
  Answer result;
  co_await socket->read(&result.frame, sizeof(result.frame));
  KJ_REQUIRE(result.frame.bytes <= MOST_ANSWER_BYTES);
  result.text = kj::heapString(result.frame.bytes);
  if (result.frame.bytes > 0) co_await socket->read(result.text.begin(), result.frame.bytes);
  co_return kj::mv(result);
}

template <typename T>
kj::Promise<T> SetupHelper::inTime(kj::Promise<T> work) {
  auto late = timer.afterDelay(limit).then([]() -> kj::Promise<T> {
    return KJ_EXCEPTION(FAILED, "the workspace's disk does not answer");
  });
  return work.exclusiveJoin(kj::mv(late)).catch_([this](kj::Exception&& e) -> kj::Promise<T> {
    isLost = true;
    return kj::mv(e);
  });
}

kj::Promise<SetupHelper::Answer> SetupHelper::ask(SetupFrame::Kind kind, uint32_t step,
                                                  kj::ArrayPtr<const kj::byte> bytes) {
  KJ_REQUIRE(!isLost, "what keeps the set-up's journal does not answer");
  return inTime(send(kind, step, bytes).then([this]() { return answer(); }));
}

kj::Promise<SetupState> SetupHelper::load(rpc::SetupPlan::Reader plan) {
  capnp::MallocMessageBuilder message;
  message.setRoot(plan);
  auto words = capnp::messageToFlatArray(message);
  auto told = co_await ask(SetupFrame::PLAN, 0, words.asBytes());
  KJ_REQUIRE(told.frame.kind == SetupFrame::DID, "the set-up's journal cannot be read", told.text);
  SetupState state{told.frame.step};
  if (told.text.size() > 0) state.failure = StepFailure::parse(told.text);
  co_return kj::mv(state);
}

kj::Promise<kj::Maybe<StepFailure>> SetupHelper::begin(uint32_t step) {
  auto told = co_await ask(SetupFrame::BEGIN, step, nullptr);
  if (told.frame.kind == SetupFrame::TOO_OFTEN) {
    co_return StepFailure::other(
        kj::str("it has begun ", rpc::MAX_SETUP_BEGINS,
                " times, and each time the machine has ended before it had"));
  }
  KJ_REQUIRE(told.frame.kind == SetupFrame::DID, "that it begins cannot be noted", told.text);
  co_return nullptr;
}

kj::Promise<kj::Maybe<kj::String>> SetupHelper::order(SetupFrame::Kind kind, uint32_t step,
                                                      kj::ArrayPtr<const kj::byte> bytes) {
  auto told = co_await ask(kind, step, bytes);
  if (told.frame.kind == SetupFrame::DID) co_return nullptr;
  co_return kj::mv(told.text);
}

kj::Promise<void> SetupHelper::output(kj::ArrayPtr<const kj::byte> bytes) {
  if (isLost) return kj::READY_NOW;
  return inTime(send(SetupFrame::OUTPUT, 0, bytes)).catch_([](kj::Exception&&) {});
}

}  // namespace bothy
