#include "machine/machine-end.h"

#include <kj/common.h>

namespace bothy {

kj::StringPtr describe(VmEnd end) {
  switch (end) {
    case VmEnd::POWERED_OFF:
      return "the machine turned itself off";
    case VmEnd::REBOOTED:
      return "the machine asked for a reboot";
    case VmEnd::CRASHED:
      return "the machine's kernel panicked";
    case VmEnd::DESTROYED:
      return "the machine was ended by force";
    case VmEnd::EXITED:
      return "the machine's QEMU ended without being asked to";
  }
  KJ_UNREACHABLE;
}

}  // namespace bothy
