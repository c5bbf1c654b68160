#include "boot/kernel-modules.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/io.h>
#include <kj/vector.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "boot/failure.h"
#include "boot/machine-file.h"

namespace bothy {

bool hasKernelModules(kj::StringPtr folder) {
  return ::access(kj::str(folder, '/', MODULE_LIST).cStr(), F_OK) == 0;
}

void loadModuleFile(kj::StringPtr path) {
  int fd = ::open(path.cStr(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    failCall(path);
  }
  kj::AutoCloseFd file(fd);
  // EEXIST: the kernel has it built in, or it was loaded already.
  if (::syscall(SYS_finit_module, file.get(), "", 0) < 0 && errno != EEXIST) {
    failCall(path);
  }
}

void loadKernelModules(kj::StringPtr folder, ModuleLoader load) {
  auto text = readText(kj::str(folder, '/', MODULE_LIST)).orDefault(kj::String());
  kj::Vector<kj::String> refusals;
  for (kj::StringPtr rest = text; rest.size() > 0;) {
    auto end = rest.findFirst('\n').orDefault(rest.size());
    auto name = kj::heapString(rest.slice(0, end));
    rest = rest.slice(kj::min(end + 1, rest.size()));
    if (name.size() == 0) {
      continue;
    }
    KJ_IF_MAYBE (refusal, kj::runCatchingExceptions([&]() { load(kj::str(folder, '/', name)); })) {
      refusals.add(kj::str(refusal->getDescription()));
    }
  }
  if (refusals.size() > 0) {
    failStage(kj::str("the kernel refused modules: ", kj::strArray(refusals, "; ")));
  }
}

}  // namespace bothy
