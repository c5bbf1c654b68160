#include "process/command.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/login-environment.h"
#include "schema/limits.capnp.h"

namespace bothy {

namespace {

using Reason = rpc::StartFailure::Reason;

// Longer than any machine runs, and far from what a timer cannot count: ten years.
constexpr uint64_t MAX_TIMEOUT_MILLIS = uint64_t(10) * 365 * 24 * 3600 * 1000;

// LOGIN_NAME_MAX of Linux.  No longer name is looked for.
constexpr size_t MAX_USER_NAME_BYTES = 256;

bool hasNul(kj::StringPtr text) {
  return text.findFirst('\0') != nullptr;
}

StartFailure invalid(kj::StringPtr subject) {
  return {Reason::INVALID_COMMAND, FailureText(subject)};
}

// The name that tells a shell that it is a login shell: "-bash" for /bin/bash.
kj::String loginName(kj::StringPtr shell) {
  KJ_IF_MAYBE (slash, shell.findLast('/')) {
    return kj::str("-", shell.slice(*slash + 1));
  }
  return kj::str("-", shell);
}

}  // namespace

kj::OneOf<SpawnRequest, StartFailure> prepareCommand(const Programs& programs,
                                                     rpc::Command::Reader command,
                                                     EmptyArguments emptyArguments,
                                                     kj::Maybe<kj::StringPtr> term) {
  if (programs.machineEnds) return StartFailure{Reason::MACHINE_ENDING, {}, 0};
  kj::StringPtr userName = command.getUser();
  if (userName.size() == 0) userName = programs.options.defaultUser;
  if (userName.size() > MAX_USER_NAME_BYTES)
    return StartFailure{Reason::NO_SUCH_USER, FailureText(userName)};
  auto maybeUser = [&]() {
    Touch touch(programs.anybodys);
    return programs.users.find(userName);
  }();
  if (maybeUser == nullptr) return StartFailure{Reason::NO_SUCH_USER, FailureText(userName)};
  auto& user = KJ_ASSERT_NONNULL(maybeUser);
  if (programs.touches.isRefused(user.uid)) {
    return StartFailure{Reason::LIMIT_REACHED, FailureText(*rpc::USER_HELD_UP_AGENT)};
  }
  // A terminal is how he ends them, and of those there are few.
  if (term == nullptr && !programs.touches.hasRoomFor(user.uid)) {
    return StartFailure{Reason::LIMIT_REACHED, FailureText("maxUserPrograms"_kj)};
  }

  kj::StringPtr directory = command.getWorkingDirectory();
  if (directory.size() > rpc::MAX_PATH_BYTES) {
    return StartFailure{Reason::WORKING_DIRECTORY_UNUSABLE, FailureText(directory), ENAMETOOLONG};
  }

  // Of what is over the limit the size is taken, but nothing is made.  Each text is read once, because the reader
  // counts what is read against the size of a message.
  ArgumentSize given;
  auto isWithinLimit = [&]() { return given.total <= rpc::MAX_ARGUMENT_BYTES; };
  auto argv = command.getArgv();
  kj::Vector<kj::String> arguments;
  for (auto argument : argv) {
    if (hasNul(argument)) return invalid("argv");
    given.add(argument.size());
    if (isWithinLimit()) arguments.add(kj::str(argument));
  }

  auto environment = [&]() {
    Touch touch(programs.anybodys);
    return programs.environments.of(user);
  }();
  KJ_IF_MAYBE (directory, programs.runtimeDirectories.ensure(user)) {
    environment.set("XDG_RUNTIME_DIR", *directory);
  }
  KJ_IF_MAYBE (value, term) {
    if (hasNul(*value)) return invalid("term");
    environment.set("TERM", *value);
  }
  bool hasOwnHome = false;
  for (auto variable : command.getEnvironment()) {
    kj::StringPtr name = variable.getName(), value = variable.getValue();
    if (name.size() == 0 || hasNul(name) || name.findFirst('=') != nullptr || hasNul(value)) {
      return invalid("environment");
    }
    hasOwnHome |= name == "HOME";
    given.add(name.size() + 1 + value.size());
    if (isWithinLimit()) environment.set(name, value);
  }
  if (!isWithinLimit()) {
    return given.refuse(arguments.empty() ? kj::StringPtr() : arguments[0].asPtr());
  }

  SpawnRequest request = {};
  if (argv.size() > 0) {
    request.arguments = arguments.releaseAsArray();
    auto& program = request.arguments[0];
    if (program.size() == 0) return StartFailure{Reason::PROGRAM_NOT_FOUND, {}, ENOENT};
    if (program.findFirst('/') == nullptr && program.size() > NAME_MAX) {
      return StartFailure{Reason::PROGRAM_NOT_EXECUTABLE, FailureText(program), ENAMETOOLONG};
    }
    auto path = environment.find("PATH").orDefault(kj::StringPtr());
    if (auto bytes = searchBytes(program, path); bytes > MAX_SEARCH_BYTES) {
      return invalid(kj::str("the paths of the program in the directories of PATH take ", bytes,
                             " bytes, at most ", MAX_SEARCH_BYTES));
    }
    request.programs = searchPath(program, path);
  } else if (emptyArguments == EmptyArguments::LOGIN_SHELL) {
    request.arguments = kj::arr(loginName(user.shell));
    request.programs = kj::arr(kj::str(user.shell));
  } else {
    return invalid("argv");
  }

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
