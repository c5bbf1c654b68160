#include "boot/kernel-modules.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/io.h>
#include <kj/vector.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "boot/failure.h"
#include "process/text-file.h"

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
  auto text = readTextFile(kj::str(folder, '/', MODULE_LIST));
  Lines lines(text);
  kj::Vector<kj::String> refusals;
  while (true) {
    auto line = lines.next();
    KJ_IF_MAYBE (name, line) {
      if (name->size() == 0) {
        continue;
      }
      auto path = kj::str(folder, '/', *name);
      KJ_IF_MAYBE (refusal, kj::runCatchingExceptions([&]() { load(path); })) {
        refusals.add(kj::str(refusal->getDescription()));
      }
    } else {
      break;
    }
  }
  if (refusals.size() > 0) {
    failStage(kj::str("the kernel refused modules: ", kj::strArray(refusals, "; ")));
  }
}

}  // namespace bothy
