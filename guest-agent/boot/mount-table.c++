#include "boot/mount-table.h"

#include <errno.h>
#include <kj/string.h>
#include <kj/vector.h>
#include <string.h>
#include <sys/stat.h>

#include "boot/failure.h"

namespace bothy {

void mountKernelFileSystems(kj::ArrayPtr<const KernelMount> table) {
  kj::Vector<kj::String> problems;
  for (auto& entry : table) {
    ::mkdir(entry.target, 0755);  // mostly there; if it cannot be made, the mount says so
    if (::mount(entry.type, entry.target, entry.type, entry.flags, entry.options) == 0 ||
        errno == EBUSY) {
      continue;
    }
    auto problem = kj::str("cannot mount ", entry.target, ": ", strerror(errno));
    switch (entry.need) {
      case Need::REQUIRED:
        failStage(kj::mv(problem));
      case Need::WANTED:
        problems.add(kj::mv(problem));
        break;
      case Need::OFFERED:
        break;
    }
  }
  if (problems.size() > 0) {
    failStage(kj::strArray(problems, "; "));
  }
}

}  // namespace bothy
