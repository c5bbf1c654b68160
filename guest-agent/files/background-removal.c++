#include "files/background-removal.h"

#include "files/tree-removal.h"

namespace bothy {

kj::Promise<FileResult<Done>> removeInBackground(kj::Timer& timer, kj::AutoCloseFd parent,
                                                 kj::String name) {
  TreeRemoval removal(kj::mv(parent), kj::mv(name));
  for (;;) {
    auto result = removal.step(REMOVED_AT_A_TIME);
    KJ_IF_MAYBE (done, result) {
      co_return kj::mv(*done);
    }
    co_await timer.afterDelay(REMOVAL_PAUSE);
  }
}

}  // namespace bothy
