#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "console/failure.h"
#include "supervisor/outcome.h"
#include "transfer/landing.h"
#include "transfer/transfer-line.h"
#include "transfer/transfer.h"
#include "transfer/tree-transfer.h"
#include "tree/file-extents.h"
#include "tree/file-time.h"
#include "wire/byte-sink.h"
#include "wire/escape.h"

namespace bothy {
namespace {

// Where a copy named `name` to `to` goes: into `to` if that is a directory and it has a name.
kj::Promise<kj::String> findTarget(RemoteFiles& to, kj::StringPtr name, bool isTree) {
  auto request = to.files.statRequest();
  request.setPath(to.path.asBytes());
  request.setFollowLinks(true);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  bool directory = outcome.isEntry() && outcome.getEntry().getKind() == rpc::FileKind::DIRECTORY;
  bool slash = to.path.endsWith("/");
  // No copy of anything takes the place of a home, whoever may write there.
  if (outcome.isFailed() && isHomeItself(to.given) &&
      outcome.getFailed().getReason() == rpc::FileFailure::Reason::NOT_FOUND) {
    kj::throwFatalException(
        failure(kj::str("there is no home ", to.shownWhole(), ": name an absolute path")));
  }
  if (directory && name.size() > 0) co_return kj::str(to.path, slash ? "" : "/", name);
  if (directory && !isTree) {
    kj::throwFatalException(failure(kj::str(
        to.shown(), ": it is a directory: name a file in it, for standard input has no name")));
  }
  if (!slash || isTree) co_return kj::str(to.path);
  kj::throwFatalException(failure(kj::str(to.shown(), ": there is no such directory")));
}

// A new file of a workspace, which gets its name when the sink is ended.
struct NewFile {
  rpc::SparseSink::Client sink;
  rpc::FileWriting::Client writing;
  kj::Promise<void> opened;
};

NewFile openFile(RemoteFiles& to, kj::Maybe<const struct stat&> source, kj::StringPtr what) {
  auto request = to.files.writeRequest();
  request.setPath(to.path.asBytes());
  auto options = request.initOptions();
  options.setFollowLinks(true);
  KJ_IF_MAYBE (status, source) {
    options.setMode(static_cast<uint16_t>(status->st_mode & 0777));
    options.setExactMode(true);
    options.getModified().setNanos(nanosOf(status->st_mtim));
  }
  auto opening = request.send();
  auto sink = opening.getSink();
  auto writing = opening.getWriting();
  auto opened = opening.then([what = kj::str(what)](auto&& response) {
    auto outcome = response.getOutcome();
    if (outcome.isFailed()) kj::throwFatalException(describeFailure(what, outcome.getFailed()));
  });
  return {kj::mv(sink), kj::mv(writing), kj::mv(opened)};
}

// What to tell of a writing that `exception` has ended: the workspace's reason, if it has one.  Nobody holds its sink any more.
kj::Promise<kj::Exception> reasonOf(rpc::FileWriting::Client writing, kj::StringPtr what,
                                    kj::Exception exception) {
  kj::Maybe<kj::Exception> reason;
  try {
    auto response = co_await writing.resultRequest().send();
    auto outcome = response.getOutcome();
    if (outcome.isFailed() &&
        outcome.getFailed().getReason() != rpc::FileFailure::Reason::ABANDONED) {
      reason = describeFailure(what, outcome.getFailed());
    }
  } catch (const kj::Exception&) {
    // It cannot be asked any more: what is known already is all there is to tell.
  }
  KJ_IF_MAYBE (told, reason) {
    co_return kj::mv(*told);
  }
  co_return kj::mv(exception);
}

kj::Promise<void> sendHole(rpc::SparseSink::Client sink, uint64_t bytes) {
  auto request = sink.skipRequest();
  request.setBytes(bytes);
  return request.send();
}

uint64_t sizeOf(int fd) {
  struct stat status{};
  KJ_SYSCALL(fstat(fd, &status));
  return static_cast<uint64_t>(status.st_size);
}

// Sends what a file has, as far as `size`, where that is not 0: one that grows is copied as far as it went when it
// was opened, one that becomes shorter to its end.
kj::Promise<void> sendFile(rpc::SparseSink::Client sink, SinkWriter& writer, int fd,
                           kj::StringPtr path, uint64_t size, uint64_t& sent) {
  const uint64_t limit = size > 0 ? size : UINT64_MAX;
  uint64_t dataEnd = size > 0 ? 0 : UINT64_MAX;
  while (sent < limit) {
    if (sent >= dataEnd) {
      auto extent = nextExtent(fd, sent, size);
      auto holeEnd = extent.length > 0 ? extent.offset : kj::min(size, sizeOf(fd));
      if (holeEnd > sent) co_await sendHole(sink, holeEnd - sent);
      sent = kj::max(sent, holeEnd);
      if (extent.length == 0) co_return;
      dataEnd = extent.end();
    }
    auto space = writer.buffer(kj::min(dataEnd - sent, uint64_t{FILE_CHUNK_BYTES}));
    ssize_t count = pread(fd, space.begin(), space.size(), static_cast<off_t>(sent));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      kj::throwFatalException(failure(kj::str(path, ": cannot read: ", strerror(errno))));
    }
    if (count == 0) co_return;
    co_await writer.send(static_cast<size_t>(count));
    sent += static_cast<uint64_t>(count);
  }
}

kj::AutoCloseFd openSource(kj::StringPtr path, struct stat& status) {
  // A FIFO would wait for its other end.
  int fd = open(path.cStr(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 && errno == ENXIO) {
    // open(2) of a socket, or of a device that is not there.
    kj::throwFatalException(
        failure(kj::str(path, ": it is a socket or a device, and has no contents to copy")));
  }
  if (fd < 0 || fstat(fd, &status) < 0) {
    kj::throwFatalException(failure(kj::str(path, ": cannot read: ", strerror(errno))));
  }
  kj::AutoCloseFd source(fd);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    kj::throwFatalException(failure(
        kj::str(path, ": it is no regular file: give its contents on standard input, as -")));
  }
  return source;
}

// Where a symlink leads that is itself the source; none if something else is.
kj::Maybe<kj::String> readSymlink(kj::StringPtr path) {
  char target[PATH_MAX];
  // With a slash after it, it is the directory that is meant, and the kernel says so.
  auto size = readlink(path.cStr(), target, sizeof(target));
  if (size < 0) return nullptr;
  return kj::heapString(target, static_cast<size_t>(size));
}

kj::Promise<TransferResult> uploadSymlink(Context& context, kj::StringPtr from,
                                          kj::StringPtr target, RemoteFiles to) {
  struct stat status{};
  if (lstat(from.cStr(), &status) < 0) {
    kj::throwFatalException(failure(kj::str(from, ": cannot read: ", strerror(errno))));
  }
  auto request = to.files.makeSymlinkRequest();
  request.setPath(to.path.asBytes());
  request.setTarget(target.asBytes());
  request.setModifiedNanos(nanosOf(status.st_mtim));
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isFailed()) {
    kj::throwFatalException(
        describeFailure(kj::str("cannot write ", to.shownWhole()), outcome.getFailed()));
  }
  // Of <(command) and /dev/stdin nobody wants the name.
  if (stat(from.cStr(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    context.console.note(kj::str("copied as a symlink to ", escapeGuestText(target.asArray()),
                                 ": its contents can be given on standard input, as -"));
  }
  co_return TransferResult{};
}

kj::Promise<TransferResult> uploadFile(Context& context, const CopyEnd& from, int source,
                                       const struct stat& status, RemoteFiles to,
                                       Landing& landing) {
  auto what = kj::str("cannot write ", to.shownWhole());
  kj::Maybe<const struct stat&> attributes;
  kj::Promise<void> looking = kj::READY_NOW;
  if (from.isStream()) {
    looking = landing.lookBefore(to);
  } else {
    attributes = status;
  }
  auto file = openFile(to, attributes, what);
  // Bytes go before it is known whether the file could be opened; those of a person wait for it.
  if (from.isStream()) co_await kj::mv(file.opened);
  uint64_t sent = 0;
  auto size = static_cast<uint64_t>(status.st_size);
  kj::Maybe<kj::Exception> failed;
  try {
    // Held here only: reasonOf() waits for the workspace, which waits for the end of its sink.
    auto sink = kj::mv(file.sink);
    SinkWriter writer(sink);
    TransferLine line(context, baseName(from.path), size, [&] { return sent; });
    if (from.isStream()) {
      // Input that pauses does not tell that the workspace has given up, or is gone.
      auto givenUp = file.writing.resultRequest().send().then([](auto&&) -> uint64_t {
        kj::throwFatalException(KJ_EXCEPTION(FAILED, "the workspace has ended the writing"));
      });
      sent = co_await pumpToSink(context.input, writer).exclusiveJoin(kj::mv(givenUp));
      landing.sent({.kind = rpc::FileKind::FILE, .size = sent}, {.bytes = sent});
    } else {
      co_await sendFile(kj::mv(sink), writer, source, from.path, size, sent);
    }
    co_await writer.end();
  } catch (...) {
    failed = kj::getCaughtExceptionAsKj();
  }
  if (!from.isStream()) co_await kj::mv(file.opened);
  KJ_IF_MAYBE (exception, failed) {
    kj::throwFatalException(co_await reasonOf(kj::mv(file.writing), what, kj::mv(*exception)));
  }
  co_return TransferResult{.bytes = sent};
}

class Upload final: public Copy {
public:
  Upload(Context& context, const CopyEnd& from) : context(context), from(from) {}

  kj::Promise<TransferResult> run(RemoteFiles to) override;
  // All of it goes again: what had come is forgotten with its connection.
  uint64_t position() const override { return 0; }

private:
  Context& context;
  const CopyEnd& from;
  // Decided once: a copy that has its place already would be a directory to go into.
  kj::Maybe<kj::String> target;
  Landing landing;
  bool inputWasRead = false;

  [[noreturn]] void failToReadAgain(RemoteFiles& to);
};

void Upload::failToReadAgain(RemoteFiles& to) {
  kj::throwFatalException(failure(
      kj::str("the connection was lost, and standard input cannot be read again: ",
              landing.wasSent() ? kj::str("whether ", to.shownWhole(), " was written is not known")
                                : kj::str("nothing was written"))));
}

kj::Promise<TransferResult> Upload::run(RemoteFiles to) {
  if (landing.wasSent()) {
    to.path = kj::str(KJ_ASSERT_NONNULL(target));
    KJ_IF_MAYBE (result, co_await landing.find(to)) {
      co_return *result;
    }
  }
  if (inputWasRead) failToReadAgain(to);
  struct stat status{};
  kj::AutoCloseFd source;
  kj::Maybe<kj::String> link;
  if (!from.isStream()) {
    link = readSymlink(from.path);
    if (link == nullptr) source = openSource(from.path, status);
  }
  if (target == nullptr) {
    auto name = from.isStream() ? kj::str() : baseName(from.path);
    target = co_await findTarget(to, name, S_ISDIR(status.st_mode));
  }
  to.path = kj::str(KJ_ASSERT_NONNULL(target));
  KJ_IF_MAYBE (linkTarget, link) {
    co_return co_await uploadSymlink(context, from.path, *linkTarget, kj::mv(to));
  }
  if (S_ISDIR(status.st_mode)) {
    co_return co_await uploadTree(context, from.path, kj::mv(to), landing);
  }
  inputWasRead = from.isStream();
  co_return co_await uploadFile(context, from, source, status, kj::mv(to), landing);
}

}  // namespace

kj::Own<Copy> newUpload(Context& context, const CopyEnd& from) {
  return kj::heap<Upload>(context, from);
}

}  // namespace bothy
