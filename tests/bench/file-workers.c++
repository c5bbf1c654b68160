#include "bench/file-workers.h"

namespace bothy {

double sumOfFileWorkers(TestWorkspace& workspace, kj::StringPtr file, kj::StringPtr program) {
  // Where there is none it is 0.
  auto sum = workspace.shell(kj::str("awk '", program, " END { print t + 0 }' /dev/null ",
                                     "$(pgrep -x bothy-files | sed 's|.*|/proc/&/", file, "|')"));
  return sum.parseAs<double>();
}

}  // namespace bothy
