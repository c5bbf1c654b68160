#include "rpc/granted-files.h"

#include <kj/debug.h>
#include <kj/function.h>

#include <deque>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using Verb = rpc::Verb;

class GrantedFiles final: public rpc::Files::Server {
public:
  GrantedFiles(kj::Own<rpc::Files::Server> files, LaneGrant::Verbs verbs)
      : files(kj::mv(files)), verbs(verbs) {}

  DispatchCallResult dispatchCall(
      uint64_t interfaceId, uint16_t methodId,
      capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> context) override {
    KJ_REQUIRE(verbs.has(rightFor(methodId)), "the grant of this lane does not allow it", methodId);
    if (!isTransfer(methodId)) return files->dispatchCall(interfaceId, methodId, context);
    return {inTurn([this, interfaceId, methodId, context]() mutable {
              return files->dispatchCall(interfaceId, methodId, context).promise;
            }),
            /*isStreaming=*/false, /*allowCancellation=*/true};
  }

private:
  kj::Own<rpc::Files::Server> files;
  const LaneGrant::Verbs verbs;
  kj::uint transfers = 0;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> waiting;

  kj::Promise<void> inTurn(kj::Function<kj::Promise<void>()> transfer) {
    std::erase_if(waiting, [](auto& waiter) { return !waiter->isWaiting(); });
    // Each takes some 10 KiB for as long as it waits.
    if (waiting.size() >= rpc::MAX_WAITING_TRANSFERS) {
      kj::throwFatalException(
          KJ_EXCEPTION(OVERLOADED, "as many transfers of this lane wait as may"));
    }
    while (transfers >= rpc::MAX_LANE_TRANSFERS) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      waiting.push_back(kj::mv(paf.fulfiller));
      co_await paf.promise;
    }
    ++transfers;
    KJ_DEFER({
      --transfers;
      wakeOne();
    });
    co_await transfer();
  }

  void wakeOne() {
    while (!waiting.empty()) {
      auto next = kj::mv(waiting.front());
      waiting.pop_front();
      // Else its call was given up.
      if (next->isWaiting()) return next->fulfill();
    }
  }

  // Holds memory of the agent, or a process, for as long as it lasts.
  static bool isTransfer(uint16_t method) {
    return method == 2 /*read*/ || method == 7 /*exportTree*/ || method == 8 /*importTree*/;
  }

  // By its number in files.capnp.
  static Verb rightFor(uint16_t method) {
    switch (method) {
      case 0:  // stat
      case 1:  // list
      case 2:  // read
      case 7:  // exportTree
      case 9:  // home
        return Verb::READ_FILES;
      case 3:   // write
      case 4:   // makeDirectory
      case 5:   // move
      case 6:   // remove
      case 8:   // importTree
      case 10:  // makeSymlink
        return Verb::WRITE_FILES;
      default:
        return Verb::NONE;
    }
  }
};

}  // namespace

kj::Own<rpc::Files::Server> newGrantedFiles(kj::Own<rpc::Files::Server> files,
                                            LaneGrant::Verbs verbs) {
  return kj::heap<GrantedFiles>(kj::mv(files), verbs);
}

}  // namespace bothy
