#include "options.h"

namespace bothy {

const char USAGE[] =
    "usage: bothy-agent                                  as PID 1: brings up a machine\n"
    "       bothy-agent --serve-fd N --secret-fd N       serves an inherited socket, as any user\n"
    "       bothy-agent --version\n";

Options parseOptions(Role role, kj::ArrayPtr<const char* const> arguments) {
  if (role == Role::INIT) {
    return BootMachine();
  }
  kj::Maybe<int> socket, secret;
  for (size_t i = 0; i < arguments.size(); ++i) {
    kj::StringPtr argument = arguments[i];
    if (argument == "--version") {
      return ShowVersion();
    }
    auto* target = argument == "--serve-fd"    ? &socket
                   : argument == "--secret-fd" ? &secret
                                               : nullptr;
    if (target == nullptr) {
      return WrongUsage{kj::str("unknown argument ", argument)};
    }
    if (i + 1 == arguments.size()) {
      return WrongUsage{kj::str(argument, " needs a number")};
    }
    auto number = kj::StringPtr(arguments[++i]).tryParseAs<int>();
    KJ_IF_MAYBE (fd, number) {
      if (*fd >= 0) {
        *target = *fd;
        continue;
      }
    }
    return WrongUsage{kj::str(argument, " needs the number of a descriptor, not ", arguments[i])};
  }
  KJ_IF_MAYBE (fd, socket) {
    KJ_IF_MAYBE (source, secret) {
      return ServeDescriptor{*fd, *source};
    }
  }
  return WrongUsage{kj::str("not PID 1, and no --serve-fd with --secret-fd given")};
}

}  // namespace bothy
