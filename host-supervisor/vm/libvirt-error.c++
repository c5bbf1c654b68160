#include "vm/libvirt-error.h"

#include <libvirt/virterror.h>

#include <kj/debug.h>

namespace bothy {

void failOfLibvirt(kj::StringPtr deed) {
  const char* message = virGetLastErrorMessage();
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("libvirt could not ", deed, ": ", message)));
}

bool libvirtSaysGone() {
  int code = virGetLastErrorCode();
  // "Requested operation is not valid: domain is not running" is how a domain on its way out answers.
  return code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID;
}

}  // namespace bothy
