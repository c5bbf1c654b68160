#include "agent/agent-link.h"

#include <kj/debug.h>

#include "agent/agent-connection.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// How long `ready` waits before it tries again: a twentieth of the time waited so far, so that waiting
// adds little to any boot, within these bounds.
constexpr kj::Duration LEAST_PAUSE = 10 * kj::MILLISECONDS;
constexpr kj::Duration MOST_PAUSE = 200 * kj::MILLISECONDS;
constexpr int PAUSE_SHARE = 20;
// A vsock device that was just replaced takes a moment until the guest has found it.
constexpr kj::Duration RETRY_PAUSE = 50 * kj::MILLISECONDS;
// A dial of a machine that boots may be swallowed without an answer: the first tries end early.
constexpr kj::Duration FIRST_TRY_LIMIT = 1 * kj::SECONDS;

kj::Exception disconnected(kj::StringPtr why) {
  return kj::Exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::heapString(why));
}

class AgentLinkImpl final: public AgentLink {
public:
  AgentLinkImpl(kj::Timer& timer, kj::Array<const kj::byte> secret,
                kj::Function<kj::Promise<kj::Own<kj::AsyncIoStream>>()> dial)
      : timer(timer), secret(kj::mv(secret)), dial(kj::mv(dial)) {}

  ~AgentLinkImpl() noexcept(false) {
    // Callers hold branches of what is under way here, and would keep it going.
    canceler.cancel(disconnected("the workspace's machine has stopped; connect again"));
  }
  KJ_DISALLOW_COPY_AND_MOVE(AgentLinkImpl);

  kj::Promise<rpc::Agent::Client> agent(Lane lane) override {
    return canceler.wrap(agent(lane, HELLO_LIMIT, Tries::UNTIL_LIMIT));
  }

  kj::Promise<void> ready() override { return canceler.wrap(keepTrying()); }

private:
  enum class Tries { ONE, UNTIL_LIMIT };

  struct LaneState {
    kj::Maybe<kj::Own<AgentConnection>> connection;
    kj::Maybe<rpc::Agent::Client> agent;
    bool opening = false;
    kj::Maybe<kj::ForkedPromise<void>> attempt;
  };

  kj::Timer& timer;
  kj::Array<const kj::byte> secret;
  kj::Function<kj::Promise<kj::Own<kj::AsyncIoStream>>()> dial;
  LaneState lanes[3];
  // Every call from outside.
  kj::Canceler canceler;

  kj::Promise<void> keepTrying() {
    auto begin = timer.now();
    kj::Duration limit = FIRST_TRY_LIMIT;
    for (;;) {
      kj::Maybe<kj::Exception> failure;
      co_await agent(Lane::INTERACTIVE, limit, Tries::ONE)
          .then([](rpc::Agent::Client&&) {},
                [&failure](kj::Exception&& e) { failure = kj::mv(e); });
      KJ_IF_MAYBE (e, failure) {
        if (e->getType() != kj::Exception::Type::DISCONNECTED) kj::throwFatalException(kj::mv(*e));
      } else {
        co_return;
      }
      auto waited = timer.now() - begin;
      co_await timer.afterDelay(kj::min(kj::max(waited / PAUSE_SHARE, LEAST_PAUSE), MOST_PAUSE));
      limit = kj::min(limit * 2, HELLO_LIMIT);
    }
  }

  kj::Promise<rpc::Agent::Client> agent(Lane lane, kj::Duration limit, Tries tries) {
    auto& state = lanes[static_cast<size_t>(lane)];
    if (!state.opening) {
      KJ_IF_MAYBE (connection, state.connection) {
        if (!(*connection)->hasEnded()) co_return KJ_ASSERT_NONNULL(state.agent);
      }
      state.opening = true;
      state.attempt = open(state, limit, tries).fork();
    }
    co_await KJ_ASSERT_NONNULL(state.attempt).addBranch();
    co_return KJ_ASSERT_NONNULL(state.agent);
  }

  // Replaces the lane's connection by a new one.
  kj::Promise<void> open(LaneState& state, kj::Duration limit, Tries tries) {
    KJ_DEFER(state.opening = false);
    state.agent = nullptr;
    state.connection = nullptr;

    kj::Maybe<kj::Exception> lastFailure;
    auto deadline = timer.afterDelay(limit).then([&lastFailure]() -> kj::Promise<void> {
      KJ_IF_MAYBE (failure, lastFailure) {
        return kj::mv(*failure);
      }
      return disconnected("the workspace's agent did not answer in time");
    });
    auto connecting = tries == Tries::ONE ? connect(state) : keepConnecting(state, lastFailure);
    co_await connecting.exclusiveJoin(kj::mv(deadline));
  }

  // Tries again for as long as the agent cannot be reached.  No deadline of its own.
  kj::Promise<void> keepConnecting(LaneState& state, kj::Maybe<kj::Exception>& lastFailure) {
    for (;;) {
      kj::Maybe<kj::Exception> failure;
      co_await connect(state).catch_([&failure](kj::Exception&& e) { failure = kj::mv(e); });
      KJ_IF_MAYBE (e, failure) {
        if (e->getType() != kj::Exception::Type::DISCONNECTED) kj::throwFatalException(kj::mv(*e));
        lastFailure = kj::mv(*e);
      } else {
        co_return;
      }
      co_await timer.afterDelay(RETRY_PAUSE);
    }
  }

  [[noreturn]] static void refuseGeneration(kj::StringPtr what, uint32_t generation) {
    kj::throwFatalException(
        KJ_EXCEPTION(UNIMPLEMENTED,
                     kj::str(what, " protocol generation ", generation, ", and this bothyd speaks ",
                             rpc::OLDEST_GENERATION, " to ", rpc::GENERATION,
                             ": install an image that fits, or another bothyd")));
  }

  kj::Promise<void> connect(LaneState& state) {
    auto connection = kj::heap<AgentConnection>(co_await dial());
    auto request = connection->gate().helloRequest();
    request.setGeneration(rpc::GENERATION);
    request.setSecret(secret);
    auto response = co_await request.send();
    auto outcome = response.getOutcome();
    switch (outcome.which()) {
      case rpc::AgentGate::HelloOutcome::WELCOME: {
        auto welcome = outcome.getWelcome();
        if (welcome.getGeneration() < rpc::OLDEST_GENERATION ||
            welcome.getGeneration() > rpc::GENERATION) {
          refuseGeneration("the workspace's agent speaks", welcome.getGeneration());
        }
        state.agent = welcome.getAgent();
        state.connection = kj::mv(connection);
        co_return;
      }
      case rpc::AgentGate::HelloOutcome::WRONG_SECRET:
        KJ_FAIL_REQUIRE("the workspace's agent refuses the secret of this boot");
      case rpc::AgentGate::HelloOutcome::GENERATION_TOO_OLD:
        refuseGeneration("the workspace's agent wants at least", outcome.getGenerationTooOld());
    }
    KJ_FAIL_REQUIRE("the workspace's agent gave an answer that this bothyd does not know");
  }
};

}  // namespace

kj::Own<AgentLink> newAgentLink(kj::Timer& timer, kj::Array<const kj::byte> secret,
                                kj::Function<kj::Promise<kj::Own<kj::AsyncIoStream>>()> dial) {
  return kj::heap<AgentLinkImpl>(timer, kj::mv(secret), kj::mv(dial));
}

}  // namespace bothy
