#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "console/failure.h"
#include "schema/limits.capnp.h"
#include "supervisor/outcome.h"
#include "transfer/transfer-line.h"
#include "transfer/transfer.h"
#include "transfer/tree-transfer.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

// Where a copy named `name` to `to` goes: into `to` if that is a directory.
kj::Promise<kj::String> findTarget(RemoteFiles& remote, kj::StringPtr to, kj::StringPtr name) {
  auto path = pathFromRoot(to, remote.user);
  auto request = remote.files.statRequest();
  request.setPath(path.asBytes());
  request.setFollowLinks(true);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  bool directory = outcome.isEntry() && outcome.getEntry().getKind() == rpc::FileKind::DIRECTORY;
  if (directory && name != ".") co_return kj::str(path, path.endsWith("/") ? "" : "/", name);
  if (directory || !path.endsWith("/")) co_return kj::mv(path);
  kj::throwFatalException(failure(kj::str(remote.shown(to), ": there is no such directory")));
}

// A new file of a workspace, which gets its name when the sink is ended.
struct NewFile {
  rpc::ByteSink::Client sink;
  rpc::FileWriting::Client writing;
  kj::Promise<void> opened;
};

NewFile openFile(RemoteFiles& remote, kj::StringPtr path, mode_t mode, kj::StringPtr what) {
  auto request = remote.files.writeRequest();
  request.setPath(path.asBytes());
  request.initOptions().setMode(static_cast<uint16_t>(mode & 0777));
  auto opening = request.send();
  auto sink = opening.getSink();
  auto writing = opening.getWriting();
  auto opened = opening.then([what = kj::str(what)](auto&& response) {
    auto outcome = response.getOutcome();
    if (outcome.isFailed()) kj::throwFatalException(describeFailure(what, outcome.getFailed()));
  });
  return {kj::mv(sink), kj::mv(writing), kj::mv(opened)};
}

// What to tell of a writing that `exception` has ended: the workspace's reason, if it has one.
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

kj::Promise<void> sendFile(SinkWriter& writer, int fd, kj::StringPtr path, uint64_t& sent) {
  while (true) {
    auto space = writer.buffer(rpc::PREFERRED_CHUNK_BYTES);
    ssize_t count = read(fd, space.begin(), space.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      kj::throwFatalException(failure(kj::str(path, ": cannot read: ", strerror(errno))));
    }
    if (count == 0) break;
    co_await writer.send(static_cast<size_t>(count));
    sent += static_cast<uint64_t>(count);
  }
}

kj::AutoCloseFd openSource(kj::StringPtr path, struct stat& status) {
  // A FIFO would wait for its other end.
  int fd = open(path.cStr(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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

}  // namespace

kj::Promise<TransferResult> upload(Context& context, RemoteFiles remote, const CopyEnd& from,
                                   kj::StringPtr to) {
  struct stat status{};
  kj::AutoCloseFd source;
  if (!from.isStream()) source = openSource(from.path, status);
  auto name = from.isStream() ? kj::str(".") : baseName(from.path);
  auto path = co_await findTarget(remote, to, name);
  if (S_ISDIR(status.st_mode)) {
    co_return co_await uploadTree(context, kj::mv(remote), from.path, path);
  }

  mode_t mode = from.isStream() ? 0644 : status.st_mode;
  auto what = kj::str("cannot write ", remote.workspace, ":", path);
  auto file = openFile(remote, path, mode, what);
  // Bytes go before it is known whether the file could be opened; those of a person wait for it.
  if (from.isStream()) co_await kj::mv(file.opened);
  uint64_t sent = 0;
  kj::Maybe<kj::Exception> failed;
  try {
    SinkWriter writer(kj::mv(file.sink));
    TransferLine line(context, name, static_cast<uint64_t>(status.st_size), [&] { return sent; });
    if (from.isStream()) {
      sent = co_await pumpToSink(context.input, writer);
    } else {
      co_await sendFile(writer, source, from.path, sent);
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

}  // namespace bothy
