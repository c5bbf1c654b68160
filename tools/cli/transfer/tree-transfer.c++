#include "transfer/tree-transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/thread.h>

#include "console/failure.h"
#include "schema/limits.capnp.h"
#include "supervisor/outcome.h"
#include "transfer/pending-entry.h"
#include "transfer/transfer-line.h"
#include "tree/archive-pack.h"
#include "tree/archive-unpack.h"
#include "tree/tree-writer.h"
#include "wire/byte-sink.h"
#include "wire/escape.h"

namespace bothy {
namespace {

struct Pipe {
  kj::AutoCloseFd readEnd;
  kj::AutoCloseFd writeEnd;

  Pipe() {
    int fds[2];
    KJ_SYSCALL(pipe2(fds, O_CLOEXEC));
    readEnd = kj::AutoCloseFd(fds[0]);
    writeEnd = kj::AutoCloseFd(fds[1]);
    // Fewer wake-ups of the thread at the other end; refused where a user has many pipes.
    fcntl(fds[0], F_SETPIPE_SZ, static_cast<int>(rpc::MAX_CHUNK_BYTES));
  }
};

kj::Exception treeFailure(kj::StringPtr what, const FileProblem& problem) {
  auto path = problem.path.size() > 0 ? kj::str(" (", escapeGuestText(problem.path.asArray()), ")")
                                      : kj::str();
  auto reason = problem.message.size() > 0 ? escapeGuestText(problem.message.asArray())
                                           : kj::str(strerror(problem.errorNumber));
  return failure(kj::str(what, path, ": ", reason));
}

// Work with files that blocks, beside the event loop.  Dropping it waits for the end of the work, so the
// pipe that it works on must be closed before.
class Worker final {
public:
  explicit Worker(kj::Function<kj::Maybe<FileProblem>()> work)
      : done(kj::newPromiseAndCrossThreadFulfiller<void>()),
        work(kj::mv(work)),
        thread(kj::heap<kj::Thread>([this] {
          KJ_IF_MAYBE (exception, kj::runCatchingExceptions([this] { problem = this->work(); })) {
            done.fulfiller->reject(kj::mv(*exception));
          } else {
            done.fulfiller->fulfill();
          }
        })) {}

  kj::Promise<void> whenDone() { return kj::mv(done.promise); }
  // Once it is done.
  kj::Maybe<FileProblem>& result() { return problem; }

private:
  kj::PromiseCrossThreadFulfillerPair<void> done;
  kj::Function<kj::Maybe<FileProblem>()> work;
  kj::Maybe<FileProblem> problem;
  kj::Own<kj::Thread> thread;
};

}  // namespace

kj::Promise<TransferResult> downloadTree(Context& context, RemoteFiles remote, kj::StringPtr from,
                                         kj::StringPtr to, mode_t mode) {
  auto path = pathFromRoot(from, remote.user);
  auto name = baseName(path);
  PendingEntry tree(LocalPlace::find(to, name), EntryKind::TREE);
  auto what = kj::str("cannot copy ", remote.shown(from));

  TreeProgress progress;
  Pipe pipe;
  Worker worker([&, readEnd = kj::mv(pipe.readEnd)]() mutable {
    // Closed at the end, so that a sender who was refused learns it.
    auto archive = kj::mv(readEnd);
    TreeWriter writer(tree.fd(), TreeWriter::Duplicates::REFUSE);
    return unpackArchive(archive, writer, {}, progress);
  });
  TransferLine line(context, name, 0,
                    [&] { return progress.bytes.load(std::memory_order_relaxed); });
  auto ended = kj::newPromiseAndFulfiller<void>();
  auto request = remote.files.exportTreeRequest();
  request.setPath(path.asBytes());
  request.setSink(
      newByteSink(context.io.wrapOutputFd(kj::mv(pipe.writeEnd)), kj::mv(ended.fulfiller)));
  // Refused here, it fails there: what was found here counts.
  kj::Maybe<kj::Exception> sendFailure;
  uint64_t skipped = 0;
  {
    auto sending = request.send();
    co_await sending.then(
        [&](auto&& response) {
          auto outcome = response.getOutcome();
          if (outcome.isFailed()) {
            sendFailure = describeFailure(what, outcome.getFailed());
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
    if (whole || sendFailure == nullptr) kj::throwFatalException(treeFailure(what, *problem));
  }
  KJ_IF_MAYBE (exception, sendFailure) {
    kj::throwFatalException(kj::mv(*exception));
  }
  if (!whole) kj::throwFatalException(failure(kj::str(what, ": it did not come whole")));
  tree.commit(mode);
  co_return TransferResult{
      .bytes = progress.bytes, .entries = progress.entries, .skipped = skipped + progress.skipped};
}

kj::Promise<TransferResult> uploadTree(Context& context, RemoteFiles remote, kj::StringPtr from,
                                       kj::StringPtr to) {
  auto what = kj::str("cannot copy to ", remote.shown(to));
  int fd = open(from.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    kj::throwFatalException(failure(kj::str(from, ": cannot read: ", strerror(errno))));
  }
  kj::AutoCloseFd source(fd);

  auto makeRequest = remote.files.makeDirectoryRequest();
  makeRequest.setPath(to.asBytes());
  makeRequest.setMakeParents(true);
  auto made = co_await makeRequest.send();
  if (made.getOutcome().isFailed()) {
    kj::throwFatalException(describeFailure(what, made.getOutcome().getFailed()));
  }
  auto importRequest = remote.files.importTreeRequest();
  importRequest.setPath(to.asBytes());
  auto importing = co_await importRequest.send();
  if (importing.getOutcome().isFailed()) {
    kj::throwFatalException(describeFailure(what, importing.getOutcome().getFailed()));
  }
  auto resultPromise = importing.getImport().resultRequest().send();

  TreeProgress progress;
  Pipe pipe;
  Worker worker([&, writeEnd = kj::mv(pipe.writeEnd)]() mutable {
    auto archive = kj::mv(writeEnd);
    return packTree(source, ".", archive, progress);
  });
  auto input = context.io.wrapInputFd(kj::mv(pipe.readEnd));
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
    co_await writer.end().catch_([](kj::Exception&&) {});  // the result says why
  }
  auto response = co_await resultPromise;
  auto outcome = response.getOutcome();
  if (outcome.isFailed()) kj::throwFatalException(describeFailure(what, outcome.getFailed()));
  auto done = outcome.getDone();
  co_return TransferResult{.bytes = progress.bytes,
                           .entries = done.getEntries(),
                           .skipped = done.getSkipped() + progress.skipped};
}

}  // namespace bothy
