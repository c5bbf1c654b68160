#include "setup/setup-worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <capnp/serialize.h>
#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "setup/file-placement.h"
#include "setup/setup-disk.h"

namespace bothy {
namespace {

constexpr int SOCKET = 0;

// Whether all of it came.
bool readAll(void* target, size_t size) {
  auto to = static_cast<kj::byte*>(target);
  while (size > 0) {
    const auto count = read(SOCKET, to, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    to += count;
    size -= count;
  }
  return true;
}

void answer(SetupFrame::Kind kind, uint32_t step, kj::StringPtr text) {
  const SetupFrame frame = {kind, step, static_cast<uint32_t>(text.size())};
  const auto bytes = kj::heapArray<kj::byte>(sizeof(frame) + text.size());
  memcpy(const_cast<kj::byte*>(bytes.begin()), &frame, sizeof(frame));
  memcpy(const_cast<kj::byte*>(bytes.begin()) + sizeof(frame), text.begin(), text.size());
  auto rest = bytes.asPtr();
  while (rest.size() > 0) {
    const auto count = write(SOCKET, rest.begin(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    rest = rest.slice(count, rest.size());
  }
}

class Worker final {
public:
  explicit Worker(const char* const* argv) : disk(argv[2], argv[3]) {}

  // Until the socket ends.
  void serve() {
    SetupFrame frame;
    while (readAll(&frame, sizeof(frame))) {
      auto bytes =
          kj::heapArray<capnp::word>((frame.bytes + sizeof(capnp::word) - 1) / sizeof(capnp::word));
      if (!readAll(bytes.begin(), frame.bytes)) return;
      if (frame.kind == SetupFrame::OUTPUT) {
        disk.append(bytes.asBytes().slice(0, frame.bytes));
        continue;
      }
      KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { obey(frame, kj::mv(bytes)); })) {
        answer(SetupFrame::REFUSED, frame.step, e->getDescription());
      }
    }
  }

private:
  SetupDisk disk;
  kj::Array<capnp::word> words;
  kj::Maybe<kj::Own<capnp::FlatArrayMessageReader>> plan;
  SetupState state;

  rpc::SetupPlan::Reader steps() {
    return KJ_REQUIRE_NONNULL(plan, "no plan")->getRoot<rpc::SetupPlan>();
  }
  void note(SetupState next);
  void obey(const SetupFrame& frame, kj::Array<capnp::word> bytes);
  void begin(uint32_t step);
  void place(uint32_t step, const uint32_t* ids);
};

void Worker::obey(const SetupFrame& frame, kj::Array<capnp::word> bytes) {
  switch (frame.kind) {
    case SetupFrame::PLAN: {
      words = kj::mv(bytes);
      capnp::ReaderOptions options;
      options.traversalLimitInWords = UINT64_MAX;
      plan = kj::heap<capnp::FlatArrayMessageReader>(words, options);
      state = disk.load(steps().getId());
      state.done = kj::min(state.done, steps().getSteps().size());
      kj::String failed;
      KJ_IF_MAYBE (failure, state.failure) failed = failure->line();
      answer(SetupFrame::DID, state.done, failed);
      return;
    }
    case SetupFrame::BEGIN:
      begin(frame.step);
      return;
    case SetupFrame::PLACE:
      KJ_REQUIRE(frame.bytes == 2 * sizeof(uint32_t));
      place(frame.step, reinterpret_cast<const uint32_t*>(bytes.begin()));
      return;
    case SetupFrame::DONE:
      note({frame.step + 1, 0, nullptr});
      break;
    case SetupFrame::FAIL:
      note({frame.step, state.begun,
            StepFailure::parse(kj::str(bytes.asBytes().slice(0, frame.bytes).asChars()))});
      break;
    case SetupFrame::RETRY:
      note({frame.step, 0, nullptr});
      break;
    default:
      KJ_FAIL_REQUIRE("no such order", frame.kind);
  }
  answer(SetupFrame::DID, frame.step, nullptr);
}

void Worker::note(SetupState next) {
  disk.save(steps().getId(), next);
  state = kj::mv(next);
}

void Worker::begin(uint32_t step) {
  const bool isRoots =
      steps().getSteps()[step].isCommand() && steps().getSteps()[step].getCommand().getRoot();
  if (state.begun >= rpc::MAX_SETUP_BEGINS) {
    answer(SetupFrame::TOO_OFTEN, step, nullptr);
    return;
  }
  note({step, state.begun + 1, nullptr});
  disk.beginLog(step, isRoots ? SetupDisk::Readers::NOBODY : SetupDisk::Readers::EVERYBODY);
  answer(SetupFrame::DID, step, nullptr);
}

void Worker::place(uint32_t step, const uint32_t* ids) {
  auto file = steps().getSteps()[step].getFile();
  auto failure = placeFile({file.getPath(), ids[0], ids[1], file.getMode(), file.getContent()});
  KJ_IF_MAYBE (why, failure) {
    disk.append(kj::str(*why, '\n').asBytes());
    answer(SetupFrame::REFUSED, step, *why);
    return;
  }
  disk.append(kj::str(file.getPath(), ": ", file.getContent().size(), " bytes\n").asBytes());
  answer(SetupFrame::DID, step, nullptr);
}

}  // namespace

bool isSetupWorker(int argc, const char* const* argv) {
  return argc == 4 && argv[1] == SETUP_WORKER;
}

int setupWorkerMain(const char* const* argv) {
  umask(022);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  const rlimit noCore = {0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  Worker(argv).serve();
  return 0;
}

}  // namespace bothy
