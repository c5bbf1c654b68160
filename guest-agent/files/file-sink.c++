#include "files/file-sink.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/stream-order.h"

namespace bothy {
namespace {

// How the writing went: nullptr if the file is in its place.
struct WriteOutcome final: public kj::Refcounted {
  kj::Maybe<FileProblem> problem;
  explicit WriteOutcome(kj::Maybe<FileProblem> problem) : problem(kj::mv(problem)) {}
  kj::Own<WriteOutcome> addRef() { return kj::addRef(*this); }
};

class FileSink final: public rpc::SparseSink::Server {
public:
  FileSink(DiskFlush& disk, kj::Own<WorkspaceFiles> files, kj::Own<FileWriter> writer,
           kj::Own<kj::PromiseFulfiller<kj::Own<WriteOutcome>>> outcome,
           kj::Own<FileCounters> counters)
      : disk(disk),
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
    require(open().write(data));
    counters->bytesWritten += data.size();
    // What queues behind it may be cancelled until then.
    return order.endAfter(kj::READY_NOW);
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

FileTarget newFileTarget(DiskFlush& disk, kj::Own<WorkspaceFiles> files, kj::Own<FileWriter> writer,
                         kj::Array<kj::byte> path, kj::Own<FileCounters> counters) {
  auto outcome = kj::newPromiseAndFulfiller<kj::Own<WriteOutcome>>();
  return {
      kj::heap<FileSink>(disk, kj::mv(files), kj::mv(writer), kj::mv(outcome.fulfiller),
                         kj::mv(counters)),
      kj::heap<FileWritingFacet>(kj::mv(outcome.promise), kj::mv(path)),
  };
}

}  // namespace bothy
