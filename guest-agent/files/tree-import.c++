#include "files/tree-import.h"

namespace bothy {
namespace {

class TreeImportFacet final: public rpc::TreeImport::Server {
public:
  TreeImportFacet(kj::Own<ArchiveChild> childParam, kj::Promise<void> ended,
                  kj::Array<kj::byte> path, kj::Own<FileCounters> countersParam)
      : child(kj::mv(childParam)),
        path(kj::mv(path)),
        counters(kj::mv(countersParam)),
        // Of an archive that is not whole the worker must not take the end for one.
        endWatch(ended
                     .then([this] { child->confirmEnd(); },
                           [this](kj::Exception&&) {
                             isBrokenOff = true;
                             child->stop();
                           })
                     .eagerlyEvaluate(nullptr)),
        outcome(child->result()
                    .then([this](FileResult<TreeCounts> result) {
                      // The worker may have come to the end before it was stopped.
                      if (isBrokenOff && result.is<TreeCounts>()) {
                        result = FileProblem::of(FileProblem::Reason::ABANDONED,
                                                 kj::str("the archive broke off before its end"));
                      }
                      KJ_IF_MAYBE (counts, result.tryGet<TreeCounts>()) {
                        counters->filesWritten += counts->entries;
                      }
                      return kj::refcounted<Outcome>(kj::mv(result));
                    })
                    .fork()) {}

  kj::Promise<void> result(ResultContext context) override {
    auto result = co_await outcome.addBranch();
    writeOutcome(context.getResults().initOutcome(), result->value, path);
  }

private:
  struct Outcome final: public kj::Refcounted {
    FileResult<TreeCounts> value;
    explicit Outcome(FileResult<TreeCounts> value) : value(kj::mv(value)) {}
    kj::Own<Outcome> addRef() { return kj::addRef(*this); }
  };

  kj::Own<ArchiveChild> child;
  kj::Array<kj::byte> path;
  kj::Own<FileCounters> counters;
  bool isBrokenOff = false;
  kj::Promise<void> endWatch;
  kj::ForkedPromise<kj::Own<Outcome>> outcome;
};

}  // namespace

void writeOutcome(rpc::Files::TreeOutcome::Builder builder, const FileResult<TreeCounts>& result,
                  kj::ArrayPtr<const kj::byte> path) {
  if (result.is<FileProblem>()) {
    result.get<FileProblem>().writeTo(builder.initFailed(), path);
  } else {
    auto& counts = result.get<TreeCounts>();
    builder.initDone().setEntries(counts.entries);
    builder.getDone().setSkipped(counts.skipped);
  }
}

kj::Own<rpc::TreeImport::Server> newTreeImport(kj::Own<ArchiveChild> child, kj::Promise<void> ended,
                                               kj::Array<kj::byte> path,
                                               kj::Own<FileCounters> counters) {
  return kj::heap<TreeImportFacet>(kj::mv(child), kj::mv(ended), kj::mv(path), kj::mv(counters));
}

}  // namespace bothy
