#include "loop/empty-network.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <kj/debug.h>

namespace bothy {
namespace {

kj::StringPtr adviceFor(int error) {
  switch (error) {
    case EPERM:
      return "bothyd needs CAP_SYS_ADMIN"_kj;
    case ENOSPC:
      return "user.max_net_namespaces is reached"_kj;
    case EINVAL:
      return "the host's kernel has no CONFIG_NET_NS"_kj;
    default:
      return "see unshare(2)"_kj;
  }
}

}  // namespace

void enterEmptyNetwork() {
  if (unshare(CLONE_NEWNET) < 0) failOfEmptyNetwork(errno, "a machine"_kj);
}

void failOfEmptyNetwork(int error, kj::StringPtr program) {
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "there is no network namespace of its own", program,
                                       strerror(error), adviceFor(error)));
}

}  // namespace bothy
