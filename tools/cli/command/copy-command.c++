#include <kj/debug.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"
#include "transfer/transfer.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Copies a file or a directory with all below it out of a workspace or into one.  If the target is a
directory, the copy goes into it under its own name.  Permission bits are kept, owners are not.

A file appears whole under its name or not at all, and so does a directory that comes out of a workspace:
it must not exist before.  Symlinks in a directory are copied as they are; devices, FIFOs and sockets are
left out, and counted.  A path in a workspace that is not absolute begins in the user's home.  LOCAL may be
"-", standard input or output; "./a:b" is a local file.)"_kj;

kj::Promise<TransferResult> transfer(Context& context, kj::StringPtr user, const CopyEnd& from,
                                     const CopyEnd& to) {
  kj::StringPtr name;
  KJ_IF_MAYBE (workspace, from.workspace) {
    name = *workspace;
  }
  KJ_IF_MAYBE (workspace, to.workspace) {
    name = *workspace;
  }

  auto link = context.connector.connect();
  auto connectRequest = link->supervisor().connectRequest();
  connectRequest.setName(name);
  auto connecting = connectRequest.send();
  auto filesRequest = connecting.getWorkspace().filesRequest();
  filesRequest.setUser(user);
  auto opening = filesRequest.send();
  auto connection = co_await connecting;
  requireConnected(name, connection.getOutcome());
  kj::Maybe<kj::Exception> refused;
  auto files = co_await opening.then(
      [](auto&& response) { return response.getFiles(); },
      [&](kj::Exception&& exception) -> rpc::Files::Client {
        if (user.size() > 0 && exception.getType() == kj::Exception::Type::FAILED) {
          refused = failure(kj::str("there is no user ", user, " in ", name));
        } else {
          refused = kj::mv(exception);
        }
        return nullptr;
      });
  KJ_IF_MAYBE (exception, refused) {
    kj::throwFatalException(kj::mv(*exception));
  }

  RemoteFiles remote{kj::mv(files), name, user};
  if (from.workspace != nullptr) {
    co_return co_await download(context, kj::mv(remote), from.path, to);
  }
  co_return co_await upload(context, kj::mv(remote), from, to.path);
}

class CopyCommand final: public Command {
public:
  CopyCommand() : Command({"cp", "copy files and directories, both ways", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[-u USER] NAME:PATH LOCAL");
    usage.form("[-u USER] LOCAL NAME:PATH");
    usage.describe(TEXT, R"(With --json: {"bytes":N,"entries":N,"skipped":N,"millis":N}.)");
    usage.option('u', "user", {"USER"}, "with the rights of this user of the workspace (user)",
                 user);
    usage.flag('r', "recursive", "is taken, and changes nothing: directories are copied anyway",
               recursive);
    usage.operand({"SOURCE", Value::Kind::COPY_END}, source);
    usage.operand({"TARGET", Value::Kind::COPY_END}, target);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr source;
  kj::StringPtr target;
  kj::StringPtr user;
  bool recursive = false;  // taken, as people type it; directories are copied anyway
};

kj::Promise<int> CopyCommand::run(Context& context, Usage& usage) {
  auto from = CopyEnd::parse(source);
  auto to = CopyEnd::parse(target);
  if ((from.workspace == nullptr) == (to.workspace == nullptr)) {
    usage.fail("one of source and target is NAME:PATH, in a workspace, and the other is local");
  }

  auto begun = context.timer.now();
  auto result = co_await transfer(context, user, from, to);
  auto took = context.timer.now() - begun;
  auto& console = context.console;
  if (console.wantsJson()) {
    if (to.isStream()) co_return SUCCESS;  // standard output has the file
    console.print(kj::str("{\"bytes\":", result.bytes, ",\"entries\":", result.entries,
                          ",\"skipped\":", result.skipped, ",\"millis\":", took / kj::MILLISECONDS,
                          "}\n"));
    co_return SUCCESS;
  }
  if (console.showsProgress()) {
    auto millis = kj::max(took / kj::MILLISECONDS, int64_t{1});
    auto rate = static_cast<uint64_t>(static_cast<double>(result.bytes) * 1000 /
                                      static_cast<double>(millis));
    console.note(kj::str("copied ", formatBytes(result.bytes), " in ", formatDuration(took), ", ",
                         formatBytes(rate), "/s"));
  }
  if (result.skipped > 0) {
    console.note(kj::str(result.skipped, " devices, FIFOs or sockets were left out"));
  }
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> copyCommand() {
  return kj::heap<CopyCommand>();
}

}  // namespace bothy
