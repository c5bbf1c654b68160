#include "workspace/kernel-command-line.h"

namespace bothy {

kj::String kernelCommandLine(const WorkspaceName& name, uint32_t cpus) {
  // One CPU: lock prefixes need not be patched out one by one, 100 ms of a boot under TCG.
  return kj::str("console=ttyS0 quiet panic=-1", cpus == 1 ? " noreplace-smp" : "",
                 " bothy.hostname=", name.text());
}

}  // namespace bothy
