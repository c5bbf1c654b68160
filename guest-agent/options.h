#pragma once

#include <kj/one-of.h>
#include <kj/string.h>

namespace bothy {

// What the agent's command line asks for.
struct BootMachine {
};  // PID 1 brings up the machine, whatever its arguments: the kernel passes its own
struct ShowVersion {};
struct ServeDescriptor {  // --serve-fd N --secret-fd N: serve without a machine, as any user
  int socket;             // connected, or listening
  int secret;             // the secret is read from it
};
struct WrongUsage {
  kj::String problem;
};
using Options = kj::OneOf<BootMachine, ShowVersion, ServeDescriptor, WrongUsage>;

enum class Role { INIT, ORDINARY };

// `arguments` without the program's name.
Options parseOptions(Role role, kj::ArrayPtr<const char* const> arguments);

extern const char USAGE[];

}  // namespace bothy
