#include "workspace/kernel-command-line.h"

#include "vm/kernel-arguments.h"

namespace bothy {

kj::String kernelCommandLine(const WorkspaceName& name, uint32_t cpus) {
  return kj::str(kernelArguments(cpus), " bothy.hostname=", name.text());
}

}  // namespace bothy
