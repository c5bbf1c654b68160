#include "system/system-facet.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

kj::Duration graceFrom(uint32_t millis) {
  KJ_REQUIRE(millis <= rpc::MAX_GRACE_MILLIS, "graceMillis is over its limit", millis);
  return millis * kj::MILLISECONDS;
}

class SystemFacet final: public rpc::System::Server {
public:
  explicit SystemFacet(SystemSources sources) : sources(kj::mv(sources)) {}

  kj::Promise<void> report(ReportContext context) override {
    sources.report(context.getResults().initReport());
    return kj::READY_NOW;
  }

  kj::Promise<void> health(HealthContext context) override {
    measureHealth(context.getResults().initHealth(), sources.diskSpace, sources.mark);
    return kj::READY_NOW;
  }

  kj::Promise<void> powerOff(PowerOffContext context) override {
    end(Ending::POWER_OFF, graceFrom(context.getParams().getGraceMillis()));
    return kj::READY_NOW;
  }

  kj::Promise<void> reboot(RebootContext context) override {
    end(Ending::REBOOT, graceFrom(context.getParams().getGraceMillis()));
    return kj::READY_NOW;
  }

private:
  SystemSources sources;

  void end(Ending ending, kj::Duration grace) {
    KJ_IF_MAYBE (power, sources.power) {
      power->end(ending, grace);
    } else {
      KJ_UNIMPLEMENTED("this agent is no machine's PID 1: it ends nothing");
    }
  }
};

}  // namespace

kj::Own<rpc::System::Server> newSystemFacet(SystemSources sources) {
  return kj::heap<SystemFacet>(kj::mv(sources));
}

}  // namespace bothy
