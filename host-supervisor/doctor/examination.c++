#include "doctor/examination.h"

#include <capnp/common.h>
#include <kj/debug.h>
#include <kj/vector.h>

#include "doctor/capacity-checks.h"
#include "doctor/kernel-checks.h"
#include "doctor/limit-checks.h"
#include "doctor/memory-checks.h"
#include "doctor/processor-checks.h"

namespace bothy {

kj::Array<Finding> examineHost(const HostFacts& facts, const ExaminedPlaces& places) {
  return kj::arr(checkRoot(facts), checkSmt(facts), checkProcessorFlaws(facts), checkKsm(facts),
                 checkSwap(facts), checkCoreDumps(facts), checkPtraceScope(facts),
                 checkKernelLog(facts), checkBpf(facts), checkFuse(facts),
                 checkNetworkNamespaces(facts), checkRuntimeDirectory(facts, places),
                 checkStateDirectory(facts, places), checkUserIds(facts, places),
                 checkOpenFiles(facts, places), checkCapacity(places), checkKernel(facts),
                 checkRpcLibrary(CAPNP_VERSION));
}

kj::Array<Finding> examineMachinery(const HostFacts& facts, const Machinery& machinery) {
  return kj::arr(checkAccelerator(machinery), checkVsock(facts, machinery),
                 checkVsockNamespace(facts, machinery), checkLibvirt(machinery),
                 checkEmulator(machinery), checkStorageDaemon(facts, machinery));
}

void requireFit(kj::ArrayPtr<const Finding> findings) {
  kj::Vector<kj::StringPtr> refused;
  for (auto& finding : findings) {
    auto& check = finding.name;
    auto& found = finding.found;
    auto& advice = finding.advice;
    switch (finding.verdict) {
      case Verdict::OK:
        break;
      case Verdict::WARN:
        KJ_LOG(WARNING, "the host is not as it should be", check, found, advice);
        break;
      case Verdict::REFUSE:
        KJ_LOG(ERROR, "bothyd does not start on this host", check, found, advice);
        refused.add(check);
        break;
    }
  }
  if (refused.size() == 0) return;
  auto checks = kj::strArray(refused, ", ");
  KJ_FAIL_REQUIRE("the host is refused; the lines above say what to do", checks);
}

}  // namespace bothy
