#include "console/failure.h"
#include "supervisor/outcome.h"
#include "transfer/file-sink.h"
#include "transfer/pending-entry.h"
#include "transfer/transfer-line.h"
#include "transfer/transfer.h"
#include "transfer/tree-transfer.h"

namespace bothy {
namespace {

kj::Promise<void> readInto(RemoteFiles& remote, kj::StringPtr from, rpc::ByteSink::Client sink,
                           Received& received) {
  auto path = pathFromRoot(from, remote.user);
  auto request = remote.files.readRequest();
  request.setPath(path.asBytes());
  request.setSink(kj::mv(sink));
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isFailed()) {
    kj::throwFatalException(
        describeFailure(kj::str("cannot read ", remote.shown(from)), outcome.getFailed()));
  }
  if (!received.complete || received.bytes != outcome.getDone()) {
    kj::throwFatalException(failure(kj::str(remote.shown(from), " did not come whole: ",
                                            received.bytes, " bytes of ", outcome.getDone())));
  }
}

}  // namespace

kj::Promise<TransferResult> download(Context& context, RemoteFiles remote, kj::StringPtr from,
                                     const CopyEnd& to) {
  auto path = pathFromRoot(from, remote.user);
  auto request = remote.files.statRequest();
  request.setPath(path.asBytes());
  request.setFollowLinks(true);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isFailed()) {
    kj::throwFatalException(
        describeFailure(kj::str("cannot read ", remote.shown(from)), outcome.getFailed()));
  }
  auto entry = outcome.getEntry();

  Received received;
  if (to.isStream()) {
    co_await readInto(remote, from, kj::heap<OutputSink>(context.output, received), received);
    co_return TransferResult{.bytes = received.bytes};
  }
  if (entry.getKind() == rpc::FileKind::DIRECTORY) {
    co_return co_await downloadTree(context, kj::mv(remote), from, to.path, entry.getMode());
  }
  PendingEntry file(LocalPlace::find(to.path, baseName(path)), EntryKind::FILE);
  {
    TransferLine line(context, baseName(path), entry.getSize(), [&] { return received.bytes; });
    co_await readInto(remote, from, kj::heap<FileSink>(file.fd(), file.path(), received), received);
  }
  file.commit(entry.getMode());
  co_return TransferResult{.bytes = received.bytes};
}

}  // namespace bothy
