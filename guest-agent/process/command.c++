#include "process/command.h"

#include <errno.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/login-environment.h"
#include "schema/limits.capnp.h"

namespace bothy {

namespace {

using Reason = rpc::StartFailure::Reason;

// Longer than any machine runs, and far from what a timer cannot count: ten years.
constexpr uint64_t MAX_TIMEOUT_MILLIS = uint64_t(10) * 365 * 24 * 3600 * 1000;

bool hasNul(kj::StringPtr text) {
  return text.findFirst('\0') != nullptr;
}

StartFailure invalid(kj::StringPtr subject) {
  return {Reason::INVALID_COMMAND, kj::str(subject)};
}

// The name that tells a shell that it is a login shell: "-bash" for /bin/bash.
kj::String loginName(kj::StringPtr shell) {
  KJ_IF_MAYBE (slash, shell.findLast('/')) {
    return kj::str("-", shell.slice(*slash + 1));
  }
  return kj::str("-", shell);
}

}  // namespace

kj::OneOf<SpawnRequest, StartFailure> prepareCommand(const ProcessHost& host,
                                                     rpc::Command::Reader command,
                                                     EmptyArguments emptyArguments,
                                                     kj::Maybe<kj::StringPtr> term) {
  if (host.machineEnds) return StartFailure{Reason::MACHINE_ENDING, kj::String(), 0};
  kj::StringPtr userName = command.getUser();
  if (userName.size() == 0) userName = host.options.defaultUser;
  auto maybeUser = host.users.find(userName);
  if (maybeUser == nullptr) return StartFailure{Reason::NO_SUCH_USER, kj::str(userName)};
  auto& user = KJ_ASSERT_NONNULL(maybeUser);

  auto environment = loginEnvironment(user, host.options.etcDirectory);
  KJ_IF_MAYBE (directory, host.runtimeDirectories.ensure(user)) {
    environment.set("XDG_RUNTIME_DIR", *directory);
  }
  KJ_IF_MAYBE (value, term) {
    if (hasNul(*value)) return invalid("term");
    environment.set("TERM", *value);
  }
  bool hasOwnHome = false;
  for (auto variable : command.getEnvironment()) {
    kj::StringPtr name = variable.getName();
    if (name.size() == 0 || hasNul(name) || name.findFirst('=') != nullptr ||
        hasNul(variable.getValue())) {
      return invalid("environment");
    }
    hasOwnHome |= name == "HOME";
    environment.set(name, variable.getValue());
  }

  SpawnRequest request = {};
  auto argv = command.getArgv();
  if (argv.size() > 0) {
    request.arguments = KJ_MAP(argument, argv) {
      return kj::str(argument);
    };
    for (auto& argument : request.arguments) {
      if (hasNul(argument)) return invalid("argv");
    }
    request.programs =
        searchPath(request.arguments[0], environment.find("PATH").orDefault(kj::StringPtr()));
    if (request.arguments[0].size() == 0) {
      return StartFailure{Reason::PROGRAM_NOT_FOUND, kj::String(), ENOENT};
    }
  } else if (emptyArguments == EmptyArguments::LOGIN_SHELL) {
    request.arguments = kj::arr(loginName(user.shell));
    request.programs = kj::arr(kj::str(user.shell));
  } else {
    return invalid("argv");
  }

  kj::StringPtr directory = command.getWorkingDirectory();
  if (directory.size() == 0) {
    auto& home = request.home.emplace();
    if (!hasOwnHome) home.variable = environment.indexOf("HOME");
    directory = user.home;
  } else if (!directory.startsWith("/")) {
    return invalid("workingDirectory");
  }
  if (hasNul(directory)) return invalid("workingDirectory");
  request.workingDirectory = kj::str(directory);
  if (command.getTimeoutMillis() > 0) {
    request.timeLimit =
        static_cast<int64_t>(kj::min(command.getTimeoutMillis(), MAX_TIMEOUT_MILLIS)) *
        kj::MILLISECONDS;
  }

  request.environment = environment.release();
  auto size = ArgumentSize::of(request);
  if (size.total > rpc::MAX_ARGUMENT_BYTES) return size.refuse(request.arguments[0]);
  if (geteuid() == 0 || geteuid() != user.uid) {
    request.credentials = SpawnRequest::Credentials{user.uid, user.gid, kj::mv(user.groups)};
  }
  return request;
}

}  // namespace bothy
