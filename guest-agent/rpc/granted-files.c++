#include "rpc/granted-files.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/places.h"

namespace bothy {
namespace {

using Verb = rpc::Verb;

// A transfer holds memory of the agent, or a process, for as long as it lasts.
enum class Kind { SHORT, TRANSFER };

struct Method {
  uint16_t number;  // in files.capnp
  Verb verb;
  Kind kind = Kind::SHORT;
};

constexpr Method METHODS[] = {
    {0 /*stat*/, Verb::READ_FILES},
    {1 /*list*/, Verb::READ_FILES},
    {2 /*read*/, Verb::READ_FILES, Kind::TRANSFER},
    {3 /*write*/, Verb::WRITE_FILES},
    {4 /*makeDirectory*/, Verb::WRITE_FILES},
    {5 /*move*/, Verb::WRITE_FILES},
    {6 /*remove*/, Verb::WRITE_FILES},
    {7 /*exportTree*/, Verb::READ_FILES, Kind::TRANSFER},
    {8 /*importTree*/, Verb::WRITE_FILES, Kind::TRANSFER},
    {9 /*home*/, Verb::READ_FILES},
    {10 /*makeSymlink*/, Verb::WRITE_FILES},
};

// The same right in one directory.
constexpr Verb beneath(Verb verb) {
  return verb == Verb::READ_FILES ? Verb::READ_BENEATH : Verb::WRITE_BENEATH;
}

// None: it is not called.
kj::Maybe<const Method&> allowedMethod(LaneGrant::Verbs verbs, uint16_t number) {
  for (auto& method : METHODS) {
    if (method.number != number) continue;
    if (verbs.has(method.verb) || verbs.has(beneath(method.verb))) return method;
  }
  return nullptr;
}

class GrantedFiles final: public rpc::Files::Server {
public:
  GrantedFiles(kj::Own<rpc::Files::Server> files, LaneGrant::Verbs verbs)
      : files(kj::mv(files)), verbs(verbs) {}

  DispatchCallResult dispatchCall(
      uint64_t interfaceId, uint16_t methodId,
      capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> context) override {
    auto& method = KJ_REQUIRE_NONNULL(allowedMethod(verbs, methodId),
                                      "the grant of this lane does not allow it", methodId);
    if (method.kind == Kind::SHORT) return files->dispatchCall(interfaceId, methodId, context);
    return {inTurn(interfaceId, methodId, context), /*isStreaming=*/false,
            /*allowCancellation=*/true};
  }

private:
  kj::Own<rpc::Files::Server> files;
  const LaneGrant::Verbs verbs;
  // Each that waits takes some 10 KiB for as long.
  kj::Own<Places> transfers =
      kj::refcounted<Places>(rpc::MAX_LANE_TRANSFERS, rpc::MAX_WAITING_TRANSFERS);

  kj::Promise<void> inTurn(uint64_t interfaceId, uint16_t methodId,
                           capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> context) {
    auto place = co_await transfers->take();
    co_await files->dispatchCall(interfaceId, methodId, context).promise;
  }
};

}  // namespace

kj::Own<rpc::Files::Server> newGrantedFiles(kj::Own<rpc::Files::Server> files,
                                            LaneGrant::Verbs verbs) {
  return kj::heap<GrantedFiles>(kj::mv(files), verbs);
}

}  // namespace bothy
