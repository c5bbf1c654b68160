#pragma once

#include "support/supervised-host.h"

namespace bothy {

// What of workspaces is on the host of a test.
class HostInventory final {
public:
  explicit HostInventory(SupervisedHost& host) : host(host) {}

  // One sorted line a thing, "volume of root ID", "key ID", "process qemu-system-x86_64 ID".  What names no workspace is
  // "stranger ...".
  kj::String found();

  // What should be there, given the supervisor's list, in which every state is one that lasts.  A console log may
  // be there or not: `found` decides.
  kj::String expected(kj::StringPtr found);

private:
  SupervisedHost& host;

  kj::String lookOnce();
};

// Waits until every workspace is in a state that lasts.
void settle(SupervisedHost& host);

}  // namespace bothy
