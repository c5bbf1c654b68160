#pragma once

#include "control/rpc-progress.h"

namespace bothy {

// Where the caller wants to know how far it has come.
template <typename Params>
kj::Maybe<kj::Own<Progress>> progressOf(Params params) {
  if (!params.hasProgress()) return nullptr;
  return kj::Own<Progress>(kj::heap<RpcProgress>(params.getProgress()));
}

}  // namespace bothy
