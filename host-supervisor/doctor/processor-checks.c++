#include "doctor/processor-checks.h"

#include <string.h>

#include <kj/vector.h>

namespace bothy {
namespace {

constexpr kj::StringPtr SMT = "/sys/devices/system/cpu/smt/active"_kj;
constexpr kj::StringPtr FLAWS = "/sys/devices/system/cpu/vulnerabilities"_kj;

constexpr kj::StringPtr SMT_ADVICE =
    "where users are hostile to each other, boot with nosmt: two machines on one core can read "
    "each other's secrets by the time that memory takes"_kj;

}  // namespace

Finding checkSmt(const HostFacts& facts) {
  KJ_IF_MAYBE (active, facts.text(SMT)) {
    if (*active == "0") return good("smt", kj::str("off: a core runs one thread"));
    return warning("smt", kj::str("on: a core runs several threads"), SMT_ADVICE);
  }
  return warning("smt", kj::str("the kernel does not tell (no ", SMT, ")"), SMT_ADVICE);
}

Finding checkProcessorFlaws(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "cpu-flaws"_kj;
  auto names = facts.names(FLAWS);
  if (names.size() == 0) {
    return warning(NAME, kj::str("the kernel does not tell (no ", FLAWS, ")"),
                   "run a kernel that tells and mends them, with CONFIG_CPU_MITIGATIONS");
  }
  kj::Vector<kj::StringPtr> open;
  for (auto& name : names) {
    KJ_IF_MAYBE (state, facts.text(kj::str(FLAWS, "/", name))) {
      // Also of a part only: "Mitigation: Retpolines; BHI: Vulnerable".  What hangs on SMT alone is
      // written small, and told by checkSmt().
      if (strstr(state->cStr(), "Vulnerable") != nullptr) open.add(name);
    }
  }
  if (open.size() == 0) {
    return good(NAME, kj::str("the kernel mends those of the ", names.size(),
                              " it knows that this processor has"));
  }
  return warning(NAME, kj::str("not mended: ", kj::strArray(open, ", ")),
                 kj::str("bring kernel and microcode up to date and boot without mitigations=off; ",
                         FLAWS, " has the details"));
}

}  // namespace bothy
