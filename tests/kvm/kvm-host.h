#pragma once

#include "support/command-line.h"
#include "support/small-disk.h"
#include "support/test-workspace.h"

namespace bothy {

// A bothyd on a host that has KVM and the kernel's vsock, with a workspace that runs before and after each scenario.
struct KvmHost {
  SupervisedHost host{{.program = BOTHYD_UNHURRIED, .image = "base"}};
  SmallDisk disk{host, "700M"};
  CommandLine bothy{host};
  TestWorkspace workspace{host};
};

// Made by the first who wants it.
KvmHost& theHost();
// At the end of the process.
void endHost();

bool has(kj::StringPtr text, kj::StringPtr part);
// What `script` prints, run by the host's shell.
kj::String shell(kj::StringPtr script);

// This program with this option, and the path of bothyd's socket, is a client: see runClient().
constexpr kj::StringPtr CLIENT_OPTION = "--client"_kj;

}  // namespace bothy
