#include "agent/agent-link.h"

#include <kj/debug.h>

#include "agent/lane-stock.h"
#include "lane/lane-greeting.h"
#include "lane/lane.h"
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

[[noreturn]] void refuseGeneration(kj::StringPtr what, uint32_t generation) {
  kj::throwFatalException(
      KJ_EXCEPTION(UNIMPLEMENTED,
                   kj::str(what, " protocol generation ", generation, ", and this bothyd speaks ",
                           rpc::OLDEST_GENERATION, " to ", rpc::GENERATION,
                           ": stop and start the workspace; if it says so again, install an image "
                           "that fits this bothyd")));
}

// Returns the generation that is spoken.
uint16_t requireWelcome(const LaneAnswer& answer) {
  KJ_SWITCH_ONEOF(answer) {
    KJ_CASE_ONEOF(generation, uint16_t) {
      if (generation < rpc::OLDEST_GENERATION || generation > rpc::GENERATION) {
        refuseGeneration("the workspace's agent speaks", generation);
      }
      return generation;
    }
    KJ_CASE_ONEOF(refused, LaneRefused) {
      if (refused.why == rpc::Refusal::GENERATION_TOO_OLD) {
        refuseGeneration("the workspace's agent wants at least", refused.oldestGeneration);
      }
      if (refused.why == rpc::Refusal::WRONG_SECRET) {
        KJ_FAIL_REQUIRE("the workspace's agent refuses the secret of this boot");
      }
      KJ_FAIL_REQUIRE("the workspace's agent refuses its control lane", refused.why);
    }
  }
  KJ_UNREACHABLE;
}

class AgentLinkImpl final: public AgentLink {
public:
  AgentLinkImpl(kj::Timer& timer, kj::Array<const kj::byte> secret, uint64_t firstLane,
                LaneStock::Dial dial, LaneReports::Ended ended, LaneReports::Missed missed,
                LaneReports::Happened happened, kj::Function<void(kj::StringPtr)> lost)
      : timer(timer),
        nextLane(firstLane),
        stock(timer, kj::mv(secret), kj::mv(dial)),
        reports(timer, kj::mv(ended), kj::mv(missed), kj::mv(happened)),
        lost(kj::mv(lost)) {}

  ~AgentLinkImpl() noexcept(false) {
    // Callers hold branches of what is under way here, and would keep it going.
    canceler.cancel(disconnected("the workspace's machine has stopped; connect again"));
  }
  KJ_DISALLOW_COPY_AND_MOVE(AgentLinkImpl);

  kj::Promise<rpc::AgentControl::Client> control() override {
    return canceler.wrap(control(HELLO_LIMIT, Tries::UNTIL_LIMIT));
  }

  kj::Promise<uint16_t> generation() override {
    return canceler.wrap(
        control(HELLO_LIMIT, Tries::UNTIL_LIMIT).then([this](auto&&) { return spoken; }));
  }

  kj::Promise<void> ready() override { return canceler.wrap(untilReady()); }

  bool isLinked() override {
    KJ_IF_MAYBE (present, lane) {
      return canServe(**present);
    }
    return false;
  }

  kj::Promise<void> tryControl() override {
    return canceler.wrap(control(HELLO_LIMIT, Tries::ONE).ignoreResult());
  }

  void dropControl() override {
    following = nullptr;
    watching = nullptr;
    lane = nullptr;
    tellLoss("it was dropped");
  }

  void rest(kj::StringPtr why) override {
    canceler.cancel(disconnected(why));
    attempt = nullptr;
    opening = false;
    following = nullptr;
    watching = nullptr;
    lane = nullptr;
    stands = false;
    stock.dropSpares();
  }

  kj::Promise<OpenedLane> openLane(LaneGrant grant) override {
    grant.lane = nextLane++;
    reports.expect(grant.lane);
    return canceler.wrap(openUntilLimit(kj::mv(grant)));
  }

private:
  enum class Tries { ONE, UNTIL_LIMIT };

  kj::Timer& timer;
  uint64_t nextLane;
  LaneStock stock;
  LaneReports reports;
  kj::Function<void(kj::StringPtr)> lost;
  kj::Maybe<kj::Own<Lane>> lane;
  uint16_t spoken = 0;                    // on `lane`, or the one before it
  kj::Promise<void> following = nullptr;  // of the reports, over `lane`
  kj::Promise<void> watching = nullptr;   // for its end
  bool stands = false;                    // as far as was told
  bool isFollowed = false;                // `lane`; else it is as good as lost
  bool opening = false;
  kj::Maybe<kj::ForkedPromise<void>> attempt;
  // Every call from outside.
  kj::Canceler canceler;

  kj::Promise<void> untilReady() {
    auto begin = timer.now();
    kj::Duration limit = FIRST_TRY_LIMIT;
    for (;;) {
      kj::Maybe<kj::Exception> failure;
      co_await control(limit, Tries::ONE)
          .then([](rpc::AgentControl::Client&&) {},
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

  kj::Promise<rpc::AgentControl::Client> control(kj::Duration limit, Tries tries) {
    if (!opening) {
      KJ_IF_MAYBE (present, lane) {
        if (canServe(**present)) co_return bootstrapOf(**present);
      }
      opening = true;
      attempt = reopen(limit, tries).fork();
    }
    co_await KJ_ASSERT_NONNULL(attempt).addBranch();
    co_return bootstrapOf(*KJ_ASSERT_NONNULL(lane));
  }

  static rpc::AgentControl::Client bootstrapOf(Lane& lane) {
    return lane.bootstrap().castAs<rpc::AgentControl>();
  }

  // Replaces the control lane by a new one.
  kj::Promise<void> reopen(kj::Duration limit, Tries tries) {
    KJ_DEFER(opening = false);
    tellLoss("it has ended");
    following = nullptr;
    watching = nullptr;
    lane = nullptr;
    LaneGrant grant;
    grant.lane = nextLane++;
    grant.purpose = rpc::Purpose::CONTROL;
    grant.actor = kj::str("bothyd");
    grant.verbs = {rpc::Verb::CONTROL};
    co_await repeat<void>(limit, tries, [this, &grant]() { return openControl(grant); });
  }

  bool canServe(Lane& lane) { return isFollowed && !lane.hasEnded(); }

  void tellLoss(kj::StringPtr why) {
    if (!stands) return;
    stands = false;
    lost(why);
  }

  // Why the control lane was ended here, where that is known.
  kj::StringPtr whyEndedOr(kj::StringPtr otherReason) {
    KJ_IF_MAYBE (present, lane) return (*present)->whyEnded().orDefault(otherReason);
    return otherReason;
  }

  kj::Promise<void> openControl(const LaneGrant& grant) {
    auto opened = kj::heap<Lane>(co_await open(grant), timer, Lane::Use::CONTROL);
    spoken = requireWelcome(co_await opened->answer());
    following = reports.follow(bootstrapOf(*opened)).eagerlyEvaluate([this](kj::Exception&& e) {
      // An agent that does not know of reports has none.
      if (e.getType() == kj::Exception::Type::UNIMPLEMENTED) return;
      isFollowed = false;
      // It says more than the end of the connection, and comes before that.
      tellLoss(whyEndedOr(e.getDescription()));
    });
    watching = opened->onDisconnect()
                   .then([this]() { tellLoss(whyEndedOr("its connection has ended")); })
                   .eagerlyEvaluate(nullptr);
    lane = kj::mv(opened);
    isFollowed = true;
    stands = true;
  }

  kj::Promise<OpenedLane> openUntilLimit(LaneGrant grant) {
    auto stream = co_await repeat<kj::Own<kj::AsyncIoStream>>(
        HELLO_LIMIT, Tries::UNTIL_LIMIT, [this, &grant]() { return open(grant); });
    co_return OpenedLane{kj::mv(grant), kj::mv(stream)};
  }

  kj::Promise<kj::Own<kj::AsyncIoStream>> open(const LaneGrant& grant) {
    auto stream = co_await stock.take();
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    grant.writeTo(message->initRoot<rpc::Grant>());
    co_await writeGreeting(*stream, kj::mv(message));
    co_return kj::mv(stream);
  }

  // Tries again for as long as the agent cannot be reached, but at most so long.
  template <typename T>
  kj::Promise<T> repeat(kj::Duration limit, Tries tries, kj::Function<kj::Promise<T>()> once) {
    kj::Maybe<kj::Exception> lastFailure;
    auto deadline = timer.afterDelay(limit).then([this, &lastFailure]() -> kj::Promise<T> {
      stock.dropSpares();
      KJ_IF_MAYBE (failure, lastFailure) {
        return kj::mv(*failure);
      }
      return disconnected("the workspace's agent did not answer in time");
    });
    auto trying = tries == Tries::ONE ? once() : repeat<T>(once, lastFailure);
    co_return co_await trying.exclusiveJoin(kj::mv(deadline));
  }

  template <typename T>
  kj::Promise<T> repeat(kj::Function<kj::Promise<T>()>& once,
                        kj::Maybe<kj::Exception>& lastFailure) {
    for (;;) {
      try {
        co_return co_await once();
      } catch (...) {
        lastFailure = kj::getCaughtExceptionAsKj();
      }
      auto& failure = KJ_ASSERT_NONNULL(lastFailure);
      if (failure.getType() != kj::Exception::Type::DISCONNECTED) {
        kj::throwFatalException(kj::mv(failure));
      }
      co_await timer.afterDelay(RETRY_PAUSE);
    }
  }
};

}  // namespace

kj::Own<AgentLink> newAgentLink(kj::Timer& timer, kj::Array<const kj::byte> secret,
                                uint64_t firstLane,
                                kj::Function<kj::Promise<kj::Own<kj::AsyncIoStream>>()> dial,
                                LaneReports::Ended ended, LaneReports::Missed missed,
                                LaneReports::Happened happened,
                                kj::Function<void(kj::StringPtr)> lost) {
  return kj::heap<AgentLinkImpl>(timer, kj::mv(secret), firstLane, kj::mv(dial), kj::mv(ended),
                                 kj::mv(missed), kj::mv(happened), kj::mv(lost));
}

}  // namespace bothy
