#include "control/rpc-progress.h"

#include <kj/async-io.h>
#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// A client that takes a stage when it is let.
class SlowClient final: public rpc::Progress::Server {
public:
  SlowClient(kj::Vector<uint32_t>& heard, kj::ForkedPromise<void>& gate)
      : heard(heard), gate(gate) {}

private:
  // How many start first, of each stage.
  kj::Vector<uint32_t>& heard;
  kj::ForkedPromise<void>& gate;

  kj::Promise<void> stage(StageContext context) override {
    heard.add(context.getParams().getBefore());
    return gate.addBranch();
  }
};

TEST_CASE(
    "S01 a client that takes no stages of a start makes nothing grow, and hears of the last") {
  auto io = kj::setupAsyncIo();
  auto paf = kj::newPromiseAndFulfiller<void>();
  auto gate = paf.promise.fork();
  kj::Vector<uint32_t> heard;
  RpcProgress progress(kj::heap<SlowClient>(heard, gate));
  constexpr uint32_t STAGES = 1000;
  for (uint32_t before = STAGES; before > 0; before--) {
    progress.stage(Stage::WAITING, 0 * kj::SECONDS, before);
    io.waitScope.poll();
  }
  CHECK(heard.size() <= RpcProgress::MOST_UNTAKEN);
  paf.fulfiller->fulfill();
  io.waitScope.poll();
  CHECK(heard.size() == RpcProgress::MOST_UNTAKEN + 1);
  CHECK(heard.back() == 1);
  // From here on it hears of each.
  progress.stage(Stage::STARTING_VM, 0 * kj::SECONDS, 0);
  io.waitScope.poll();
  CHECK(heard.size() == RpcProgress::MOST_UNTAKEN + 2);
}

// What a client hears of set-up.
class SetupListener final: public rpc::Progress::Server {
public:
  explicit SetupListener(kj::Vector<kj::String>& heard) : heard(heard) {}

private:
  kj::Vector<kj::String>& heard;

  kj::Promise<void> stage(StageContext context) override {
    auto setup = context.getParams().getSetup();
    heard.add(kj::str(setup.getStep(), '/', setup.getSteps(), ' ', setup.getName(), '|',
                      setup.getLine()));
    return kj::READY_NOW;
  }
};

TEST_CASE("S34 who may not see what set-up steps say hears only how far they are") {
  auto io = kj::setupAsyncIo();
  kj::Vector<kj::String> heard;
  for (bool tellsSetup : {true, false}) {
    RpcProgress progress(kj::heap<SetupListener>(heard), tellsSetup);
    progress.setUp({1, 3, "Fetch", "https://token@example.com"}, 0 * kj::SECONDS);
    io.waitScope.poll();
  }
  REQUIRE(heard.size() == 2);
  CHECK(heard[0] == "1/3 Fetch|https://token@example.com");
  CHECK(heard[1] == "1/3 |");
}

}  // namespace
}  // namespace bothy
