#include "boot/runtime-directories.h"

#include <kj/debug.h>
#include <sys/stat.h>

#include "boot/machine-file.h"

namespace bothy {

void makeRuntimeDirectories() {
  struct Directory {
    kj::StringPtr path;
    mode_t mode;
  };
  for (auto directory : {Directory{"/run/lock"_kj, 01777}, Directory{"/run/user"_kj, 0711},
                         Directory{"/run/bothy"_kj, 0755}}) {
    ensureDirectory(directory.path);
    // Those with a mount of their own have it already, unless that failed.  mkdir(2) leaves out what the umask says.
    KJ_SYSCALL(::chmod(directory.path.cStr(), directory.mode), directory.path);
  }
}

}  // namespace bothy
