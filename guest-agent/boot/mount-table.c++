#include "boot/mount-table.h"

#include <errno.h>
#include <kj/debug.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/failure.h"

namespace bothy {

void mountKernelFileSystems(Console& console) {
  for (auto& entry : KERNEL_MOUNTS) {
    ::mkdir(entry.target, 0755);  // mostly there; if it cannot be made, the mount says so
    if (::mount(entry.type, entry.target, entry.type, entry.flags, entry.options) == 0 ||
        errno == EBUSY) {
      continue;
    }
    auto problem = kj::str("cannot mount ", entry.target, ": ", strerror(errno));
    if (entry.need == Need::REQUIRED) {
      failStage(kj::mv(problem));
    }
    console.say(problem);
  }
}

void linkDeviceNames() {
  struct Link {
    const char* name;
    const char* target;
  };
  for (auto link :
       {Link{"/dev/fd", "/proc/self/fd"}, Link{"/dev/stdin", "/proc/self/fd/0"},
        Link{"/dev/stdout", "/proc/self/fd/1"}, Link{"/dev/stderr", "/proc/self/fd/2"}}) {
    KJ_SYSCALL_HANDLE_ERRORS(::symlink(link.target, link.name)) {
      case EEXIST:
        break;
      default:
        KJ_FAIL_SYSCALL("symlink()", error, link.name);
    }
  }
}

}  // namespace bothy
