#include <kj/debug.h>

#include "console/failure.h"
#include "console/quantity.h"
#include "session/program-output.h"
#include "supervisor/outcome.h"
#include "transfer/file-sink.h"
#include "transfer/pending-entry.h"
#include "transfer/transfer-line.h"
#include "transfer/transfer.h"
#include "transfer/tree-transfer.h"

namespace bothy {
namespace {

// What comes at most of a file that is said to have nothing, as the kernel says of its own.
constexpr uint64_t MAX_UNSIZED_BYTES = 16 << 20;

class Download final: public Copy {
public:
  Download(Context& context, const CopyEnd& to, kj::Maybe<uint64_t> maxBytes)
      : context(context),
        to(to),
        maxBytes(maxBytes),
        output(context.output, maxBytes.orDefault(UINT64_MAX)) {}

  kj::Promise<TransferResult> run(RemoteFiles from) override;
  uint64_t position() const override { return to.isStream() ? output.position() : received.bytes; }

private:
  // A state of a file: another one of either has other contents.
  struct Version {
    uint64_t inode;
    int64_t changedNanos;
    bool operator==(const Version&) const = default;
  };

  Context& context;
  const CopyEnd& to;
  const kj::Maybe<uint64_t> maxBytes;
  // What has come, of the version that was read first.
  kj::Maybe<Version> version;
  kj::Maybe<kj::Own<PendingEntry>> file;
  SpaceLimit space{};  // for `file`
  Received received;
  ProgramOutput output;
  kj::Maybe<kj::ForkedPromise<void>> shown;

  kj::Promise<TransferResult> copyToOutput(RemoteFiles& from);
  kj::Promise<TransferResult> copyFile(RemoteFiles& from, uint64_t size);
  void requireAllowed(RemoteFiles& from, uint64_t size);
  [[noreturn]] void failOverMax(RemoteFiles& from, kj::StringPtr what);
};

// Reads what is at `offset` and after it.
kj::Promise<FileAttributes> readInto(RemoteFiles& remote, rpc::ByteSink::Client sink, bool sparse,
                                     uint64_t offset, uint64_t length,
                                     kj::Function<uint64_t()> position) {
  auto request = remote.files.readRequest();
  request.setPath(remote.path.asBytes());
  request.setOffset(offset);
  request.setLength(length);
  request.setSparse(sparse);
  request.setSink(kj::mv(sink));
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isFailed()) {
    kj::throwFatalException(
        describeFailure(kj::str("cannot read ", remote.shown()), outcome.getFailed()));
  }
  auto came = position() - offset;
  if (came != outcome.getDone()) {
    kj::throwFatalException(failure(
        kj::str(remote.shown(), " did not come whole: ", came, " bytes of ", outcome.getDone())));
  }
  co_return FileAttributes{outcome.getEntry().getMode(), outcome.getEntry().getModifiedNanos()};
}

kj::Promise<TransferResult> Download::copyToOutput(RemoteFiles& from) {
  if (shown == nullptr) shown = output.show().fork();
  auto& showing = KJ_ASSERT_NONNULL(shown);
  auto closed =
      showing.addBranch().then([]() -> kj::Promise<FileAttributes> { return kj::NEVER_DONE; });
  kj::Maybe<kj::Exception> failed;
  co_await readInto(from, output.newSink(), false, output.position(), 0,
                    [this] { return output.position(); })
      .exclusiveJoin(kj::mv(closed))
      .then([](FileAttributes) {}, [&](kj::Exception&& exception) { failed = kj::mv(exception); });
  if (failed == nullptr) output.finish();
  kj::Maybe<kj::Exception> broken;
  // What nobody reads any more is told as that, whatever came of it at the other end.
  auto written = showing.addBranch().then(
      [] {}, [&](kj::Exception&& exception) { broken = kj::mv(exception); });
  if (failed == nullptr) {
    co_await written;
  } else {
    co_await written.exclusiveJoin(kj::evalLast([] {}));
  }
  KJ_IF_MAYBE (exception, broken) {
    if (!isOutputClosed(*exception)) kj::throwFatalException(kj::mv(*exception));
    kj::throwFatalException(
        failure(kj::str("standard output was closed before all of ", from.shown(), " was written"),
                OUTPUT_CLOSED));
  }
  if (output.wasTooMuch()) failOverMax(from, "goes on behind what was written");
  KJ_IF_MAYBE (exception, failed) {
    kj::throwFatalException(kj::mv(*exception));
  }
  co_return TransferResult{.bytes = output.position()};
}

kj::Promise<TransferResult> Download::copyFile(RemoteFiles& from, uint64_t size) {
  auto name = from.copyName();
  if (file == nullptr) {
    auto& made = *file.emplace(kj::heap<PendingEntry>(LocalPlace::find(to.path, name)));
    space = SpaceLimit::of(made.fd(), maxBytes);
  }
  auto& pending = *KJ_ASSERT_NONNULL(file);
  received.complete = false;
  FileAttributes attributes{};
  kj::Maybe<kj::Exception> failed;
  {
    TransferLine line(context, name, size, [&] { return received.bytes; });
    // A file that grows is copied as far as it went when it was looked at.
    auto unsized = kj::min(MAX_UNSIZED_BYTES, maxBytes.orDefault(UINT64_MAX));
    FileLimits limits{.said = size > 0 ? size : unsized, .space = space};
    auto sink = kj::heap<FileSink>(pending.fd(), pending.path(), limits, received);
    co_await readInto(from, kj::mv(sink), true, received.bytes,
                      size > 0 ? size - received.bytes : 0, [this] { return received.bytes; })
        .then([&](FileAttributes read) { attributes = read; },
              [&](kj::Exception&& exception) { failed = kj::mv(exception); });
  }
  // Refused here, it fails there: what was found here counts.
  KJ_IF_MAYBE (exception, received.failure) {
    kj::throwFatalException(kj::cp(*exception));
  }
  KJ_IF_MAYBE (exception, failed) {
    kj::throwFatalException(kj::mv(*exception));
  }
  if (!received.complete) {
    kj::throwFatalException(failure(kj::str(from.shown(), " did not come whole")));
  }
  pending.commit(attributes);
  co_return TransferResult{.bytes = received.bytes};
}

void Download::requireAllowed(RemoteFiles& from, uint64_t size) {
  KJ_IF_MAYBE (most, maxBytes) {
    if (size > *most) failOverMax(from, kj::str("has ", formatBytes(size)));
  }
}

void Download::failOverMax(RemoteFiles& from, kj::StringPtr what) {
  kj::throwFatalException(failure(kj::str(from.shown(), " ", what, ", more than --max allows")));
}

kj::Promise<TransferResult> Download::run(RemoteFiles from) {
  auto request = from.files.statRequest();
  request.setPath(from.path.asBytes());
  // As cp(1) has it: a symlink is copied as such, unless a slash after it asks for the directory.
  request.setFollowLinks(to.isStream() || from.path.endsWith("/"));
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isFailed()) {
    kj::throwFatalException(
        describeFailure(kj::str("cannot read ", from.shown()), outcome.getFailed()));
  }
  auto entry = outcome.getEntry();
  Version present{entry.getInode(), entry.getChangedNanos()};
  bool isOther = false;
  KJ_IF_MAYBE (known, version) {
    isOther = position() > 0 && !(*known == present);
  }
  version = present;
  bool hasContents =
      entry.getKind() != rpc::FileKind::DIRECTORY && entry.getKind() != rpc::FileKind::SYMLINK;
  if (hasContents) requireAllowed(from, entry.getSize());
  if (to.isStream()) {
    if (isOther) {
      kj::throwFatalException(failure(kj::str(
          from.shown(), " changed while the connection was lost, and a part of it is written")));
    }
    co_return co_await copyToOutput(from);
  }
  switch (entry.getKind()) {
    case rpc::FileKind::DIRECTORY:
      co_return co_await downloadTree(context, kj::mv(from), to.path, maxBytes);
    case rpc::FileKind::SYMLINK: {
      auto target = kj::heapString(entry.getLinkTarget().asChars());
      placeSymlink(LocalPlace::find(to.path, from.copyName()), target, entry.getModifiedNanos());
      co_return TransferResult{};
    }
    default:
      break;
  }
  if (isOther) {
    file = nullptr;
    received = {};
  }
  // All of it came, and only the answer was lost.
  if (received.bytes > 0 && received.bytes >= entry.getSize()) {
    file = nullptr;
    received = {};
  }
  co_return co_await copyFile(from, entry.getSize());
}

}  // namespace

kj::Own<Copy> newDownload(Context& context, const CopyEnd& to, kj::Maybe<uint64_t> maxBytes) {
  return kj::heap<Download>(context, to, maxBytes);
}

}  // namespace bothy
