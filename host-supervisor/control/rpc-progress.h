#pragma once

#include "schema/supervisor.capnp.h"
#include "workspace/start-progress.h"

namespace bothy {

// A client's progress capability.  A client that takes no stages holds nothing up, and makes nothing grow: it hears of the newest one when
// it has taken those before.  Over a connection a stage counts as taken when it is sent and the flow control of streams has room for
// more, so a slow client is sent as many as fill that window before it hears of the newest.
class RpcProgress final: public Progress, private kj::TaskSet::ErrorHandler {
public:
  // Stages that a client is told of before it, or the flow control of its connection, has taken the first.
  static constexpr size_t MOST_UNTAKEN = 4;

  // `tellsSetup`: also what a set-up step is called and says.
  explicit RpcProgress(rpc::Progress::Client client, bool tellsSetup = true);
  KJ_DISALLOW_COPY_AND_MOVE(RpcProgress);

  void stage(Stage stage, kj::Duration elapsed, size_t before) override;
  void setUp(const SetupStage& setup, kj::Duration elapsed) override;

private:
  struct Told {
    Stage stage;
    kj::Duration elapsed;
    size_t before;
    struct Setup {
      uint32_t step;
      uint32_t steps;
      kj::String name;
      kj::String line;
    };
    kj::Maybe<Setup> setup = nullptr;
  };

  rpc::Progress::Client client;
  const bool tellsSetup;
  kj::Maybe<Told> newest;
  size_t untaken = 0;
  kj::TaskSet sent;

  void tell(Told told);
  void tellNewest();
  // A client that refuses one hears of no more than MOST_UNTAKEN.
  void taskFailed(kj::Exception&&) override {}
};

// Of a call that has one, or null.
template <typename Params>
kj::Maybe<kj::Own<Progress>> progressOf(Params params, bool tellsSetup = true) {
  if (!params.hasProgress()) return nullptr;
  return kj::Own<Progress>(kj::heap<RpcProgress>(params.getProgress(), tellsSetup));
}

}  // namespace bothy
