#include "session/command-line.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "schema/limits.capnp.h"

namespace bothy {

void CommandLine::declareOptions(Usage& usage) {
  usage.option('u', "user", {"USER"}, "as this user of the workspace (user)", user);
  usage.option('w', "workdir", {"DIR"}, "in this directory, from / on (the user's home)",
               [this, &usage](kj::StringPtr given) {
                 if (!given.startsWith("/")) {
                   usage.fail(kj::str("--workdir wants a directory from / on, not ", given));
                 }
                 workingDirectory = given;
               });
  usage.option('e', "env", {"NAME=TEXT"}, "with this variable; may be repeated",
               [this, &usage](kj::StringPtr given) {
                 auto equals = given.findFirst('=');
                 if (equals == nullptr || given.startsWith("=")) {
                   usage.fail(kj::str("--env wants NAME=TEXT, not ", given));
                 }
                 environment.add(given);
               });
}

void CommandLine::fill(rpc::Command::Builder command) const {
  uint64_t bytes = 0;
  for (auto texts : {arguments.asPtr(), environment.asPtr()}) {
    for (auto text : texts) bytes += text.size() + 1;
  }
  // Over it the message might not fit the connection; below, the workspace decides.
  if (bytes > rpc::MAX_ARGUMENT_BYTES) {
    kj::throwFatalException(
        failure(kj::str("argument list too long: ", bytes, " bytes, at most ",
                        rpc::MAX_ARGUMENT_BYTES, ": pass it by standard input or a file"),
                NOT_EXECUTABLE));
  }
  auto argv = command.initArgv(static_cast<kj::uint>(arguments.size()));
  for (kj::uint i = 0; i < argv.size(); ++i) argv.set(i, arguments[i]);
  auto variables = command.initEnvironment(static_cast<kj::uint>(environment.size()));
  for (kj::uint i = 0; i < variables.size(); ++i) {
    size_t equals = KJ_ASSERT_NONNULL(environment[i].findFirst('='));
    variables[i].setName(kj::str(environment[i].slice(0, equals)));
    variables[i].setValue(environment[i].slice(equals + 1));
  }
  command.setWorkingDirectory(workingDirectory);
  command.setUser(user);
  command.setTimeoutMillis(timeoutMillis);
}

}  // namespace bothy
