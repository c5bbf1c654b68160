#include "transfer/landing.h"

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr uint16_t KEPT_MODE = 0777;

auto askFor(RemoteFiles& to) {
  auto request = to.files.statRequest();
  request.setPath(to.path.asBytes());
  request.setFollowLinks(true);
  return request.send();
}

}  // namespace

kj::Promise<void> Landing::lookBefore(RemoteFiles& to) {
  // What was sent once may have its place by now.
  if (wasSent()) return kj::READY_NOW;
  before = nullptr;
  return askFor(to)
      .then(
          [this](auto&& response) {
            auto outcome = response.getOutcome();
            auto& seen = before.emplace();
            if (!outcome.isEntry()) return;
            seen.version =
                Version{outcome.getEntry().getInode(), outcome.getEntry().getChangedNanos()};
          },
          [](kj::Exception&&) {
            // The copy fails the same way; and what is not known is not found.
          })
      .eagerlyEvaluate(nullptr);
}

void Landing::sent(Mark mark, TransferResult result) {
  copied = Copied{mark, result};
}

kj::Promise<kj::Maybe<TransferResult>> Landing::find(RemoteFiles& to) {
  auto& expected = KJ_ASSERT_NONNULL(copied);
  auto response = co_await askFor(to);
  auto outcome = response.getOutcome();
  if (before == nullptr || !outcome.isEntry()) co_return nullptr;
  auto entry = outcome.getEntry();
  KJ_IF_MAYBE (old, KJ_ASSERT_NONNULL(before).version) {
    if (old->inode == entry.getInode() && old->changedNanos == entry.getChangedNanos()) {
      co_return nullptr;
    }
  }
  auto& mark = expected.mark;
  if (entry.getKind() != mark.kind) co_return nullptr;
  bool isIt = mark.kind == rpc::FileKind::DIRECTORY
                  ? (entry.getMode() & KEPT_MODE) == mark.mode &&
                        entry.getModifiedNanos() == mark.modifiedNanos
                  : entry.getSize() == mark.size;
  if (!isIt) co_return nullptr;
  co_return kj::Maybe<TransferResult>(expected.result);
}

}  // namespace bothy
