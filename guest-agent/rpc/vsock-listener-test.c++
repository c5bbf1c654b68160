#include "rpc/vsock-listener.h"

#include <sys/socket.h>
#include <sys/un.h>
// After <sys/socket.h>, which it needs.
#include <linux/vm_sockets.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

bool isAllowed(uint32_t cid) {
  struct sockaddr_vm address = {};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = 1023;
  return HostOnly().shouldAllow(reinterpret_cast<struct sockaddr*>(&address), sizeof(address));
}

TEST_CASE("S26 the host is let in, and no machine, not even this one") {
  CHECK(isAllowed(VMADDR_CID_HOST));
  CHECK_FALSE(isAllowed(VMADDR_CID_LOCAL));
  CHECK_FALSE(isAllowed(VMADDR_CID_HYPERVISOR));
  CHECK_FALSE(isAllowed(3));
  CHECK_FALSE(isAllowed(VMADDR_CID_ANY));
}

TEST_CASE("S26 an address of another family is not let in") {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  CHECK_FALSE(
      HostOnly().shouldAllow(reinterpret_cast<struct sockaddr*>(&address), sizeof(address)));
}

TEST_CASE("S26 a short address is not let in") {
  struct sockaddr_vm address = {};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_HOST;
  CHECK_FALSE(HostOnly().shouldAllow(reinterpret_cast<struct sockaddr*>(&address), 4));
}

}  // namespace
}  // namespace bothy
