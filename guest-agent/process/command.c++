#include "process/command.h"

#include <errno.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/login-environment.h"
#include "schema/limits.capnp.h"

namespace bothy {

namespace {

using Reason = rpc::StartFailure::Reason;

bool hasNul(kj::StringPtr text) {
  return text.findFirst('\0') != nullptr;
}

StartFailure invalid(kj::StringPtr subject) {
  return {Reason::INVALID_COMMAND, kj::str(subject), 0};
}

size_t bytesWithNuls(kj::ArrayPtr<const kj::String> strings) {
  size_t result = 0;
  for (auto& string : strings) result += string.size() + 1;
  return result;
}

// The name that tells a shell that it is a login shell: "-bash" for /bin/bash.
kj::String loginName(kj::StringPtr shell) {
  KJ_IF_MAYBE (slash, shell.findLast('/')) {
    return kj::str("-", shell.slice(*slash + 1));
  }
  return kj::str("-", shell);
}

}  // namespace

void StartFailure::writeTo(rpc::StartFailure::Builder builder) const {
  builder.setReason(reason);
  builder.setSubject(subject);
  builder.setErrorNumber(errorNumber);
}

kj::OneOf<SpawnRequest, StartFailure> prepareCommand(const ProcessHost& host,
                                                     rpc::Command::Reader command,
                                                     EmptyArguments emptyArguments,
                                                     kj::Maybe<kj::StringPtr> term) {
  if (host.machineEnds) return StartFailure{Reason::MACHINE_ENDING, kj::String(), 0};
  kj::StringPtr userName = command.getUser();
  if (userName.size() == 0) userName = host.options.defaultUser;
  auto maybeUser = host.users.find(userName);
  if (maybeUser == nullptr) return StartFailure{Reason::NO_SUCH_USER, kj::str(userName), 0};
  auto& user = KJ_ASSERT_NONNULL(maybeUser);

  auto environment = loginEnvironment(user, host.options.etcDirectory);
  KJ_IF_MAYBE (value, term) {
    if (hasNul(*value)) return invalid("term");
    environment.set("TERM", *value);
  }
  for (auto variable : command.getEnvironment()) {
    kj::StringPtr name = variable.getName();
    if (name.size() == 0 || hasNul(name) || name.findFirst('=') != nullptr ||
        hasNul(variable.getValue())) {
      return invalid("environment");
    }
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
  if (directory.size() == 0) directory = user.home;
  if (hasNul(directory) || !directory.startsWith("/")) return invalid("workingDirectory");
  request.workingDirectory = kj::str(directory);

  request.environment = environment.release();
  if (bytesWithNuls(request.arguments) + bytesWithNuls(request.environment) >
      rpc::MAX_ARGUMENT_BYTES) {
    return invalid("maxArgumentBytes");
  }
  if (geteuid() == 0 || geteuid() != user.uid) {
    request.credentials = SpawnRequest::Credentials{user.uid, user.gid, kj::mv(user.groups)};
  }
  return request;
}

StartFailure explain(const SpawnFailure& failure, kj::StringPtr program,
                     kj::StringPtr workingDirectory) {
  using Stage = SpawnFailure::Stage;
  int error = failure.errorNumber;
  if (error == EAGAIN || error == ENOMEM) {
    return {Reason::LIMIT_REACHED, kj::str("memory or processes of the workspace"), error};
  }
  switch (failure.stage) {
    case Stage::WORKING_DIRECTORY:
      return {Reason::WORKING_DIRECTORY_MISSING, kj::str(workingDirectory), error};
    case Stage::EXECUTE:
      switch (error) {
        case ENOENT:
        case ENOTDIR:
          return {Reason::PROGRAM_NOT_FOUND, kj::str(program), error};
        case EACCES:
        case EPERM:
        case ENOEXEC:
          return {Reason::PROGRAM_NOT_EXECUTABLE, kj::str(program), error};
        case E2BIG:
          return {Reason::INVALID_COMMAND, kj::str("maxArgumentBytes"), error};
        default:
          return {Reason::OTHER, kj::str(program), error};
      }
    default:
      return {Reason::OTHER, kj::str(program), error};
  }
}

}  // namespace bothy
