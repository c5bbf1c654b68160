#include <kj/debug.h>

#include "client/program-output.h"
#include "console/failure.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"
#include "transfer/file-sink.h"
#include "transfer/pending-entry.h"
#include "transfer/transfer-line.h"
#include "transfer/transfer.h"
#include "transfer/tree-transfer.h"
#include "wire/escape.h"

namespace bothy {
namespace {

// What comes at most of a file that is said to have nothing, as the kernel says of its own.
constexpr uint64_t MAX_UNSIZED_BYTES = 16 << 20;

// Times that a file is begun anew, because another took its name while it was opened.
constexpr kj::uint MAX_VERSIONS = 8;

// A state of a file: another one of either has other contents.
struct FileVersion {
  uint64_t inode;
  int64_t changedNanos;
  bool operator==(const FileVersion&) const = default;
};

FileVersion versionOf(rpc::FileEntry::Reader entry) {
  return {entry.getInode(), entry.getChangedNanos()};
}

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
  Context& context;
  const CopyEnd& to;
  const kj::Maybe<uint64_t> maxBytes;
  // What has come, of the version that was read first.
  kj::Maybe<FileVersion> version;
  kj::uint versions = 0;
  kj::Maybe<kj::Own<PendingEntry>> file;
  SpaceLimit space{};  // for `file`
  Received received;
  ProgramOutput output;
  kj::Maybe<kj::ForkedPromise<void>> shown;

  kj::Promise<TransferResult> copyToOutput(RemoteFiles& from);
  // None: what was read is another version than what had come, of which nothing is kept.
  kj::Promise<kj::Maybe<TransferResult>> copyFile(RemoteFiles& from, uint64_t size);
  bool isWhatWasLookedAt(const FileVersion& read, uint64_t offset);
  void forget();
  void requireAllowed(RemoteFiles& from, uint64_t size);
  [[noreturn]] void failIsDirectory(RemoteFiles& from);
  [[noreturn]] void failOtherWritten(RemoteFiles& from);
  [[noreturn]] void failOverMax(RemoteFiles& from, kj::StringPtr what);
};

// What was read, as it was when it was opened.
struct ReadEntry {
  FileVersion version;
  FileAttributes attributes;
};

// Reads what is at `offset` and after it.
kj::Promise<ReadEntry> readInto(RemoteFiles& remote, rpc::ByteSink::Client sink, bool sparse,
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
  auto entry = outcome.getEntry();
  co_return ReadEntry{versionOf(entry), {entry.getMode(), entry.getModifiedNanos()}};
}

kj::Promise<TransferResult> Download::copyToOutput(RemoteFiles& from) {
  if (shown == nullptr) shown = output.show().fork();
  auto& showing = KJ_ASSERT_NONNULL(shown);
  auto closed = showing.addBranch().then([]() -> kj::Promise<ReadEntry> { return kj::NEVER_DONE; });
  kj::Maybe<kj::Exception> failed;
  auto offset = output.position();
  bool isOther = false;
  co_await readInto(from, output.newSink(), false, offset, 0,
                    [this] { return output.position() - output.lost(); })
      .exclusiveJoin(kj::mv(closed))
      .then(
          [&](ReadEntry read) { isOther = offset > 0 && !isWhatWasLookedAt(read.version, offset); },
          [&](kj::Exception&& exception) { failed = kj::mv(exception); });
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
  if (isOther) failOtherWritten(from);
  if (output.wasTooMuch()) failOverMax(from, "goes on behind what was written");
  KJ_IF_MAYBE (exception, failed) {
    kj::throwFatalException(kj::mv(*exception));
  }
  co_return TransferResult{.bytes = output.position()};
}

bool Download::isWhatWasLookedAt(const FileVersion& read, uint64_t offset) {
  auto& expected = KJ_ASSERT_NONNULL(version);
  // Read from its beginning it may have grown since: it is copied as far as it went.
  return offset > 0 ? read == expected : read.inode == expected.inode;
}

void Download::forget() {
  file = nullptr;
  received = {};
}

void Download::failIsDirectory(RemoteFiles& from) {
  kj::throwFatalException(
      failure(kj::str("cannot read ", from.shown(), ": it is a directory: `bothy exec ",
                      from.workspace, " -- tar -c -C ", escapeGuestText(from.path.asArray()),
                      " .` writes an archive of it to standard output")));
}

void Download::failOtherWritten(RemoteFiles& from) {
  kj::throwFatalException(failure(kj::str(
      from.shown(), " changed while the connection was lost, and a part of it is written")));
}

kj::Promise<kj::Maybe<TransferResult>> Download::copyFile(RemoteFiles& from, uint64_t size) {
  auto name = from.copyName();
  if (file == nullptr) {
    auto& made = *file.emplace(kj::heap<PendingEntry>(LocalPlace::find(to.path, name)));
    space = SpaceLimit::of(made.fd(), maxBytes);
  }
  auto& pending = *KJ_ASSERT_NONNULL(file);
  received.complete = false;
  ReadEntry entry{};
  kj::Maybe<kj::Exception> failed;
  auto offset = received.bytes;
  {
    TransferLine line(context, name, size, [&] { return received.bytes; });
    // A file that grows is copied as far as it went when it was looked at.
    auto unsized = kj::min(MAX_UNSIZED_BYTES, maxBytes.orDefault(UINT64_MAX));
    FileLimits limits{.said = size > 0 ? size : unsized, .space = space};
    auto sink = kj::heap<FileSink>(pending.fd(), pending.path(), limits, received);
    co_await readInto(from, kj::mv(sink), true, offset, size > 0 ? size - offset : 0,
                      [this] { return received.bytes; })
        .then([&](ReadEntry read) { entry = read; },
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
  if (!isWhatWasLookedAt(entry.version, offset)) {
    forget();
    co_return nullptr;
  }
  pending.commit(entry.attributes);
  co_return kj::Maybe<TransferResult>(TransferResult{.bytes = received.bytes});
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
  auto present = versionOf(entry);
  bool isOther = false;
  KJ_IF_MAYBE (known, version) {
    isOther = position() > 0 && !(*known == present);
  }
  version = present;
  bool hasContents =
      entry.getKind() != rpc::FileKind::DIRECTORY && entry.getKind() != rpc::FileKind::SYMLINK;
  if (hasContents) requireAllowed(from, entry.getSize());
  if (to.isStream()) {
    if (entry.getKind() == rpc::FileKind::DIRECTORY) failIsDirectory(from);
    if (isOther) failOtherWritten(from);
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
  // All of it came, and only the answer was lost.
  bool cameWhole = received.bytes > 0 && received.bytes >= entry.getSize();
  if (isOther || cameWhole) forget();
  KJ_IF_MAYBE (result, co_await copyFile(from, entry.getSize())) {
    co_return *result;
  }
  if (++versions == MAX_VERSIONS) {
    kj::throwFatalException(
        failure(kj::str(from.shown(), " is replaced again and again while it is copied")));
  }
  co_return co_await run(kj::mv(from));
}

}  // namespace

kj::Own<Copy> newDownload(Context& context, const CopyEnd& to, kj::Maybe<uint64_t> maxBytes) {
  return kj::heap<Download>(context, to, maxBytes);
}

}  // namespace bothy
