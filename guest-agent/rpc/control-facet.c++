#include "rpc/control-facet.h"

#include <kj/debug.h>

namespace bothy {
namespace {

class ControlFacet final: public rpc::AgentControl::Server {
public:
  ControlFacet(rpc::System::Client system, LaneRegistry& lanesParam, kj::Maybe<MachineClock&> clock,
               kj::Maybe<WorkspaceSetup&> setup, kj::Maybe<MachineSleep&> sleep)
      : system(kj::mv(system)),
        registry(lanesParam),
        clock(clock),
        workspaceSetup(setup),
        sleep(sleep) {}

  kj::Promise<void> ping(PingContext context) override { return kj::READY_NOW; }

  kj::Promise<void> report(ReportContext context) override {
    return context.tailCall(system.reportRequest());
  }
  kj::Promise<void> health(HealthContext context) override {
    return context.tailCall(system.healthRequest());
  }
  kj::Promise<void> powerOff(PowerOffContext context) override {
    auto request = system.powerOffRequest();
    request.setGraceMillis(context.getParams().getGraceMillis());
    return context.tailCall(kj::mv(request));
  }
  kj::Promise<void> reboot(RebootContext context) override {
    auto request = system.rebootRequest();
    request.setGraceMillis(context.getParams().getGraceMillis());
    return context.tailCall(kj::mv(request));
  }

  kj::Promise<void> lanes(LanesContext context) override {
    auto list = context.getResults().initLanes(registry.size());
    kj::uint i = 0;
    registry.forEach([&](const LaneRegistry::Entry& entry, kj::Duration age) {
      auto info = list[i++];
      info.setLane(entry.grant.lane);
      info.setPurpose(entry.grant.purpose);
      info.setSession(entry.grant.session);
      info.setActor(entry.grant.actor);
      info.setAgeMillis(age / kj::MILLISECONDS);
    });
    return kj::READY_NOW;
  }

  kj::Promise<void> endLanes(EndLanesContext context) override {
    auto ended = co_await registry.end(context.getParams().getWhich());
    context.getResults().setEnded(ended);
  }

  kj::Promise<void> events(EventsContext context) override {
    const uint64_t after = context.getParams().getAfter();
    auto& feed = registry.feed();
    feed.forget(after);
    co_await feed.onEventAfter(after);
    auto results = context.getResults();
    const auto now = kj::systemPreciseMonotonicClock().now();
    kj::Maybe<EventFeed::Event> known;
    if (after == 0) known = feed.lastActivity();
    auto list = results.initEvents(feed.events().size() + (known == nullptr ? 0 : 1));
    kj::uint i = 0;
    KJ_IF_MAYBE (event, known) event->writeTo(list[i++], now);
    for (auto& event : feed.events()) event.writeTo(list[i++], now);
    results.setNewest(feed.newestEvent());
    feed.noteFetch();
  }

  // Nothing of users runs before the clock and the randomness are right.
  kj::Promise<void> wake(WakeContext context) override {
    auto parameters = context.getParams();
    auto results = context.getResults();
    results.setBehindNanos(step(parameters.getRealtimeNanos()));
    KJ_IF_MAYBE (s, sleep) {
      if (parameters.getSeed().size() > 0) s->reseed(parameters.getSeed());
      results.setThawed(s->thaw());
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> configure(ConfigureContext context) override {
    requireSetup().configure(context.getParams().getConfiguration());
    return kj::READY_NOW;
  }

  kj::Promise<void> setup(SetupContext context) override {
    auto& followed = requireSetup();
    co_await followed.onChange(context.getParams().getAfter());
    followed.writeTo(context.getResults().initStatus());
  }

  kj::Promise<void> retrySetup(RetrySetupContext context) override {
    requireSetup().retry();
    return kj::READY_NOW;
  }

  kj::Promise<void> freeze(FreezeContext context) override {
    auto parameters = context.getParams();
    const auto thawAfter = parameters.getThawAfterMillis() * kj::MILLISECONDS;
    auto& stopped = KJ_REQUIRE_NONNULL(sleep, "there is no machine");
    step(parameters.getRealtimeNanos());
    context.getResults().setDiskFrozen(co_await stopped.freeze(thawAfter));
  }

private:
  rpc::System::Client system;
  LaneRegistry& registry;
  kj::Maybe<MachineClock&> clock;
  kj::Maybe<WorkspaceSetup&> workspaceSetup;
  kj::Maybe<MachineSleep&> sleep;

  WorkspaceSetup& requireSetup() {
    return KJ_REQUIRE_NONNULL(workspaceSetup, "there is no machine");
  }

  // By how many nanoseconds it was behind.
  int64_t step(int64_t realtimeNanos) {
    const auto now = kj::UNIX_EPOCH + realtimeNanos * kj::NANOSECONDS;
    return KJ_REQUIRE_NONNULL(clock, "there is no machine").step(now) / kj::NANOSECONDS;
  }
};

}  // namespace

rpc::AgentControl::Client newControlFacet(rpc::System::Client system, LaneRegistry& lanes,
                                          kj::Maybe<MachineClock&> clock,
                                          kj::Maybe<WorkspaceSetup&> setup,
                                          kj::Maybe<MachineSleep&> sleep) {
  return kj::heap<ControlFacet>(kj::mv(system), lanes, clock, setup, sleep);
}

}  // namespace bothy
