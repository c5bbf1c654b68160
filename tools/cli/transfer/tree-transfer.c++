#include "transfer/tree-transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <kj/debug.h>

#include "console/failure.h"
#include "schema/limits.capnp.h"
#include "supervisor/outcome.h"
#include "transfer/pending-entry.h"
#include "transfer/space-limit.h"
#include "transfer/transfer-line.h"
#include "transfer/tree-worker.h"
#include "tree/archive-pack.h"
#include "tree/archive-unpack.h"
#include "tree/file-time.h"
#include "tree/staged-tree.h"
#include "wire/byte-sink.h"
#include "wire/escape.h"

namespace bothy {
namespace {

kj::Exception treeFailure(kj::StringPtr what, const FileProblem& problem) {
  auto path = problem.path.size() > 0 ? kj::str(" (", escapeGuestText(problem.path.asArray()), ")")
                                      : kj::str();
  auto reason = problem.message.size() > 0 ? escapeGuestText(problem.message.asArray())
                                           : kj::str(strerror(problem.errorNumber));
  return failure(kj::str(what, path, ": ", reason));
}

// As describeFailure(), with the entry of the tree that it is about.
kj::Exception treeFailure(kj::StringPtr what, kj::StringPtr asked,
                          rpc::FileFailure::Reader failed) {
  auto path = failed.getPath().asChars();
  if (path.size() == 0 || kj::StringPtr(asked).asArray() == path) {
    return describeFailure(what, failed);
  }
  return describeFailure(kj::str(what, " (", escapeGuestText(path), ")"), failed);
}

kj::Own<StagedTree> stage(const LocalPlace& place) {
  auto made = StagedTree::make(place.directory, place.name);
  if (made.is<FileProblem>()) {
    kj::throwFatalException(treeFailure(place.shown, made.get<FileProblem>()));
  }
  return kj::mv(made.get<kj::Own<StagedTree>>());
}

}  // namespace

kj::Promise<TransferResult> downloadTree(Context& context, RemoteFiles from, kj::StringPtr to,
                                         kj::Maybe<uint64_t> maxBytes) {
  auto name = from.copyName();
  auto place = LocalPlace::find(to, name, LocalPlace::Kind::DIRECTORY);
  auto tree = stage(place);
  auto what = kj::str("cannot copy ", from.shown());
  UnpackOptions options;
  auto space = SpaceLimit::of(tree->fd(), maxBytes);
  options.maxBytes = space.bytes;

  TreeProgress progress;
  TreeWriter writer(tree->fd(), TreeWriter::Duplicates::REFUSE, TreeWriter::Root::SET);
  TreeWorker worker([&](int archive) { return unpackArchive(archive, writer, options, progress); });
  TransferLine line(context, name, 0,
                    [&] { return progress.bytes.load(std::memory_order_relaxed); });
  auto ended = kj::newPromiseAndFulfiller<void>();
  auto request = from.files.exportTreeRequest();
  request.setPath(from.path.asBytes());
  request.setSink(
      newByteSink(context.io.wrapOutputFd(worker.takeStream()), kj::mv(ended.fulfiller)));
  // Refused here, it fails there: what was found here counts.
  kj::Maybe<kj::Exception> sendFailure;
  uint64_t skipped = 0;
  {
    auto sending = request.send();
    co_await sending.then(
        [&](auto&& response) {
          auto outcome = response.getOutcome();
          if (outcome.isFailed()) {
            sendFailure = treeFailure(what, from.path, outcome.getFailed());
          } else {
            skipped = outcome.getDone().getSkipped();
          }
        },
        [&](kj::Exception&& exception) { sendFailure = kj::mv(exception); });
  }
  bool whole =
      co_await ended.promise.then([] { return true; }, [](kj::Exception&&) { return false; });
  co_await worker.whenDone();
  KJ_IF_MAYBE (problem, worker.result()) {
    if (problem->reason == FileProblem::Reason::NO_SPACE && problem->errorNumber == 0) {
      kj::throwFatalException(failure(kj::str(what, ": ", space.describe())));
    }
    if (whole || sendFailure == nullptr || problem->errorNumber != 0) {
      kj::throwFatalException(treeFailure(what, *problem));
    }
  }
  KJ_IF_MAYBE (exception, sendFailure) {
    kj::throwFatalException(kj::mv(*exception));
  }
  if (!whole) kj::throwFatalException(failure(kj::str(what, ": it did not come whole")));
  KJ_IF_MAYBE (problem, tree->commit(writer)) {
    kj::throwFatalException(treeFailure(kj::str(place.shown, ": cannot put it there"), *problem));
  }
  co_return TransferResult{
      .bytes = progress.bytes, .entries = progress.entries, .skipped = skipped + progress.skipped};
}

kj::Promise<TransferResult> uploadTree(Context& context, kj::StringPtr from, RemoteFiles to,
                                       Landing& landing) {
  auto what = kj::str("cannot copy to ", to.shown());
  int fd = open(from.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    kj::throwFatalException(failure(kj::str(from, ": cannot read: ", strerror(errno))));
  }
  kj::AutoCloseFd source(fd);
  struct stat status{};
  KJ_SYSCALL(fstat(source, &status));
  Landing::Mark mark{.kind = rpc::FileKind::DIRECTORY,
                     .mode = static_cast<uint16_t>(status.st_mode & 0777),
                     .modifiedNanos = nanosOf(status.st_mtim)};

  auto looking = landing.lookBefore(to);
  auto importRequest = to.files.importTreeRequest();
  importRequest.setPath(to.path.asBytes());
  importRequest.setWhole(true);
  auto importing = co_await importRequest.send();
  if (importing.getOutcome().isFailed()) {
    kj::throwFatalException(describeFailure(what, importing.getOutcome().getFailed()));
  }
  auto resultPromise = importing.getImport().resultRequest().send();

  TreeProgress progress;
  TreeWorker worker([&](int archive) { return packTree(source, ".", archive, progress); });
  auto input = context.io.wrapInputFd(worker.takeStream());
  TransferLine line(context, baseName(from), 0,
                    [&] { return progress.bytes.load(std::memory_order_relaxed); });
  SinkWriter writer(importing.getSink());
  bool sent = co_await pumpToSink(*input, writer, rpc::PREFERRED_CHUNK_BYTES)
                  .then([](uint64_t) { return true; }, [](kj::Exception&&) { return false; });
  input = nullptr;  // lets a packer end whose archive was refused
  co_await worker.whenDone();
  if (sent) {
    KJ_IF_MAYBE (problem, worker.result()) {
      kj::throwFatalException(treeFailure(kj::str("cannot read ", from), *problem));
    }
    landing.sent(
        mark, {.bytes = progress.bytes, .entries = progress.entries, .skipped = progress.skipped});
    co_await writer.end().catch_([](kj::Exception&&) {});  // the result says why
  }
  auto response = co_await resultPromise;
  auto outcome = response.getOutcome();
  if (outcome.isFailed()) {
    kj::throwFatalException(treeFailure(what, to.path, outcome.getFailed()));
  }
  auto done = outcome.getDone();
  co_return TransferResult{.bytes = progress.bytes,
                           .entries = done.getEntries(),
                           .skipped = done.getSkipped() + progress.skipped};
}

}  // namespace bothy
