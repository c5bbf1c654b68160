#include "transfer/copy-session.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "session/workspace-connection.h"
#include "wire/escape.h"

namespace bothy {
namespace {

// How long bothyd may be away.
constexpr auto RECONNECT_FOR = 30 * kj::SECONDS;
// Connections lost one after the other in which nothing came.
constexpr kj::uint MAX_VAIN_ATTEMPTS = 5;

// A failure to connect, with a code of cp: 125 is for those who pass on another program's.
[[noreturn]] void rethrow(kj::Exception exception) {
  auto told = describe(exception);
  if (told.exitCode == EXEC_FAILED) kj::throwFatalException(failure(told.message));
  kj::throwFatalException(kj::mv(exception));
}

}  // namespace

kj::String RemoteFiles::shownWhole() const {
  return kj::str(workspace, ":", escapeGuestText(path.asArray()));
}

kj::Promise<void> CopySession::open(kj::Own<WorkspaceLane> newLane) {
  lane = kj::mv(newLane);
  if (path != nullptr) co_return;
  kj::String home;
  if (beginsAtHome(given)) {
    auto response = co_await lane->files().homeRequest().send();
    home = kj::heapString(response.getPath().asChars());
    if (!isUsableHome(home)) {
      kj::throwFatalException(
          failure(kj::str(workspace, " tells a home that is no path (",
                          escapeGuestText(home.asArray()), "): name an absolute path")));
    }
  }
  path = pathFromRoot(given, home);
}

kj::Promise<TransferResult> CopySession::run(Copy& copy) {
  WorkspaceConnection connection(context, workspace, wanted, RECONNECT_FOR,
                                 [this](kj::StringPtr text) { context.console.note(text); });
  co_await connection.reconnection()
      .begin([this](auto newLane) { return open(kj::mv(newLane)); })
      .catch_([](kj::Exception&& exception) { rethrow(kj::mv(exception)); });
  kj::uint attempts = 0;
  for (auto position = copy.position();;) {
    kj::Maybe<TransferResult> result;
    kj::Maybe<kj::Exception> lost;
    RemoteFiles remote{lane->files(), workspace, given, kj::str(KJ_ASSERT_NONNULL(path))};
    co_await copy.run(kj::mv(remote))
        .then([&](TransferResult copied) { result = copied; },
              [&](kj::Exception&& exception) {
                if (exception.getType() != kj::Exception::Type::DISCONNECTED) {
                  kj::throwFatalException(kj::mv(exception));
                }
                lost = kj::mv(exception);
              });
    KJ_IF_MAYBE (copied, result) {
      co_return *copied;
    }
    // Of one that never comes further the fault is no restart.
    attempts = copy.position() > position ? 0 : attempts + 1;
    position = copy.position();
    if (attempts == MAX_VAIN_ATTEMPTS) {
      kj::throwFatalException(kj::mv(KJ_ASSERT_NONNULL(lost)));
    }
    co_await connection.reconnection()
        .run(kj::mv(lane), [this](auto newLane) { return open(kj::mv(newLane)); })
        .catch_([](kj::Exception&& exception) { rethrow(kj::mv(exception)); });
  }
}

}  // namespace bothy
