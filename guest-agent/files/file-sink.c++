#include "files/file-sink.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/stream-order.h"

namespace bothy {
namespace {

// Bytes written in one turn of the event loop.
constexpr size_t WRITE_STEP_BYTES = rpc::PREFERRED_CHUNK_BYTES;

// How the writing went: nullptr if the file is in its place.
struct WriteOutcome final: public kj::Refcounted {
  kj::Maybe<FileProblem> problem;
  explicit WriteOutcome(kj::Maybe<FileProblem> problem) : problem(kj::mv(problem)) {}
  kj::Own<WriteOutcome> addRef() { return kj::addRef(*this); }
};

class FileSink final: public rpc::SparseSink::Server {
public:
  FileSink(kj::Timer& timer, DiskFlush& disk, kj::Own<WorkspaceFiles> files,
           kj::Own<FileWriter> writer, kj::Own<kj::PromiseFulfiller<kj::Own<WriteOutcome>>> outcome,
           kj::Own<FileCounters> counters)
      : timer(timer),
        disk(disk),
        files(kj::mv(files)),
        writer(kj::mv(writer)),
        outcome(kj::mv(outcome)),
        counters(kj::mv(counters)) {}

  ~FileSink() noexcept(false) {
    using Reason = FileProblem::Reason;
    if (outcome->isWaiting()) {
      tellOutcome(
          FileProblem::of(Reason::ABANDONED, kj::str("the bytes stopped before their end")));
    }
  }

  kj::Promise<void> write(WriteContext context) override {
    order.begin();
    auto data = context.getParams().getData();
    KJ_REQUIRE(data.size() <= rpc::MAX_CHUNK_BYTES, "a chunk over maxChunkBytes", data.size());
    for (;;) {
      auto step = kj::min(data.size(), WRITE_STEP_BYTES);
      require(open().write(data.slice(0, step)));
      counters->bytesWritten += step;
      data = data.slice(step, data.size());
      if (data.size() == 0) break;
      // What the machine's other clients sent meanwhile comes before a timer that is due.
      co_await timer.afterDelay(0 * kj::NANOSECONDS);
    }
    order.end();
  }

  kj::Promise<void> skip(SkipContext context) override {
    order.requireUnbroken();
    require(open().skip(context.getParams().getBytes()));
    return kj::READY_NOW;
  }

  kj::Promise<void> end(EndContext context) override {
    order.requireUnbroken();
    auto target = kj::mv(KJ_REQUIRE_NONNULL(writer, "the stream has ended"));
    writer = nullptr;
    auto result = co_await target->finish(disk);
    if (result.is<FileProblem>()) fail(kj::mv(result.get<FileProblem>()));
    ++counters->filesWritten;
    tellOutcome(nullptr);
  }

private:
  kj::Timer& timer;
  DiskFlush& disk;
  kj::Own<WorkspaceFiles> files;
  kj::Maybe<kj::Own<FileWriter>> writer;
  kj::Own<kj::PromiseFulfiller<kj::Own<WriteOutcome>>> outcome;
  kj::Own<FileCounters> counters;
  StreamOrder order;

  FileWriter& open() { return *KJ_REQUIRE_NONNULL(writer, "the stream has ended"); }

  void require(FileResult<Done> result) {
    if (result.is<Done>()) return;
    writer = nullptr;
    fail(kj::mv(result.get<FileProblem>()));
  }

  void tellOutcome(kj::Maybe<FileProblem> problem) {
    outcome->fulfill(kj::refcounted<WriteOutcome>(kj::mv(problem)));
  }

  [[noreturn]] void fail(FileProblem problem) {
    auto exception =
        KJ_EXCEPTION(FAILED, "the file was not written", problem.message, problem.errorNumber);
    tellOutcome(kj::mv(problem));
    kj::throwFatalException(kj::mv(exception));
  }
};

class FileWritingFacet final: public rpc::FileWriting::Server {
public:
  FileWritingFacet(kj::Promise<kj::Own<WriteOutcome>> outcome, kj::Array<kj::byte> path)
      : outcome(outcome.fork()), path(kj::mv(path)) {}

  kj::Promise<void> result(ResultContext context) override {
    auto known = co_await outcome.addBranch();
    auto results = context.getResults().initOutcome();
    KJ_IF_MAYBE (problem, known->problem) {
      problem->writeTo(results.initFailed(), path);
    } else {
      results.setDone();
    }
  }

private:
  kj::ForkedPromise<kj::Own<WriteOutcome>> outcome;
  kj::Array<kj::byte> path;
};

}  // namespace

FileTarget newFileTarget(kj::Timer& timer, DiskFlush& disk, kj::Own<WorkspaceFiles> files,
                         kj::Own<FileWriter> writer, kj::Array<kj::byte> path,
                         kj::Own<FileCounters> counters) {
  auto outcome = kj::newPromiseAndFulfiller<kj::Own<WriteOutcome>>();
  return {
      kj::heap<FileSink>(timer, disk, kj::mv(files), kj::mv(writer), kj::mv(outcome.fulfiller),
                         kj::mv(counters)),
      kj::heap<FileWritingFacet>(kj::mv(outcome.promise), kj::mv(path)),
  };
}

}  // namespace bothy
