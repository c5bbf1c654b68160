#include "system/system-facet.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "system/health.h"

namespace bothy {
namespace {

kj::Duration graceFrom(uint32_t millis) {
  KJ_REQUIRE(millis <= rpc::MAX_GRACE_MILLIS, "graceMillis is over its limit", millis);
  return millis * kj::MILLISECONDS;
}

class SystemFacet final: public rpc::System::Server {
public:
  SystemFacet(MachineControl& machine, ProgramMark mark) : machine(machine), mark(mark) {}

  kj::Promise<void> report(ReportContext context) override {
    machine.report(context.getResults().initReport());
    return kj::READY_NOW;
  }

  kj::Promise<void> health(HealthContext context) override {
    measureHealth(context.getResults().initHealth(),
                  machine.hasDataDisk() ? DiskSpace::TOLD : DiskSpace::NOT_TOLD, mark);
    return kj::READY_NOW;
  }

  kj::Promise<void> powerOff(PowerOffContext context) override {
    machine.powerOff(graceFrom(context.getParams().getGraceMillis()));
    return kj::READY_NOW;
  }

  kj::Promise<void> reboot(RebootContext context) override {
    machine.reboot(graceFrom(context.getParams().getGraceMillis()));
    return kj::READY_NOW;
  }

private:
  MachineControl& machine;
  const ProgramMark mark;
};

}  // namespace

kj::Own<rpc::System::Server> newSystemFacet(MachineControl& machine, ProgramMark mark) {
  return kj::heap<SystemFacet>(machine, mark);
}

}  // namespace bothy
