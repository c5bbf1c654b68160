#include <kj/debug.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "result/cli.capnp.h"
#include "transfer/copy-session.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Copies a file or a directory with all below it out of a workspace or into one, as `cp -a` does: with
permission bits, whatever the umask, times of modification, holes, hard links and symlinks as they are, one
that is named as the source too.  Owners are not kept, nor with them setuid, setgid and sticky bits; nor are
ACLs and other extended attributes.  Devices, FIFOs and sockets are left out, and counted.

If the target is a directory, the copy goes into it under the last name of SOURCE (under NAME, where SOURCE has
none, as "NAME:" and "NAME:~" have not).  A symlink in its place is followed in a workspace, to a file that is
replaced or a directory; on this machine it is replaced, for it may have come out of a workspace: "link/" is
the directory that it leads to.  A directory that is there under that name takes the entries.  A path in a
workspace that is not absolute begins in the user's home.  LOCAL may be "-", standard input or output;
"./a:b" is a local file.

A file or directory appears whole under its name or not at all, also when the copy is interrupted.  A lost
connection only delays it, but for what comes on standard input; a restart of bothyd does not touch it.  A file that grows meanwhile is copied as far as
it went at the beginning; one that becomes shorter is never filled up.)"_kj;

kj::Promise<TransferResult> transfer(Context& context, kj::StringPtr user, const CopyEnd& from,
                                     const CopyEnd& to, kj::Maybe<uint64_t> maxBytes) {
  KJ_IF_MAYBE (name, from.workspace) {
    auto copy = newDownload(context, to, maxBytes);
    CopySession session(context, *name, user, rpc::FileAccess::READ, from.path);
    co_return co_await session.run(*copy);
  }
  auto copy = newUpload(context, from);
  CopySession session(context, KJ_ASSERT_NONNULL(to.workspace), user, rpc::FileAccess::WRITE,
                      to.path);
  co_return co_await session.run(*copy);
}

class CopyCommand final: public Command {
public:
  CopyCommand() : Command({"cp", "copy files and directories, both ways", FAILURE, false, true}) {}

  void declare(Usage& usage) override {
    usage.form("[-u USER] [--max SIZE] NAME:PATH LOCAL");
    usage.form("[-u USER] LOCAL NAME:PATH");
    usage.describe(
        TEXT,
        R"(With --json: Copied of cli.capnp, {"bytes":N,"entries":N,"skipped":N,"millis":N}.)");
    usage.option('u', "user", {"USER"}, "with the rights of this user of the workspace (user)",
                 user);
    usage.option(0, "max", sizeValue(),
                 "copy at most this out of a workspace (what leaves some of the local disk free)",
                 [this, &usage](kj::StringPtr text) {
                   maxBytes = parseBytes(text);
                   if (maxBytes.orDefault(0) > 0) return;
                   usage.fail(kj::str("--max wants a size like 500K, 512M or 4G, not ", text));
                 });
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
  kj::Maybe<uint64_t> maxBytes;
  bool recursive = false;  // taken, as people type it; directories are copied anyway
};

kj::Promise<int> CopyCommand::run(Context& context, Usage& usage) {
  auto from = CopyEnd::parse(source);
  auto to = CopyEnd::parse(target);
  if ((from.workspace == nullptr) == (to.workspace == nullptr)) {
    usage.fail("one of source and target is NAME:PATH, in a workspace, and the other is local");
  }

  if (from.workspace == nullptr && maxBytes != nullptr) {
    usage.fail("--max is for what is copied out of a workspace");
  }

  auto begun = context.timer.now();
  auto result = co_await transfer(context, user, from, to, maxBytes);
  auto took = context.timer.now() - begun;
  auto& console = context.console;
  if (console.wantsJson()) {
    if (to.isStream()) co_return SUCCESS;  // standard output has the file
    console.print(jsonLine<result::Copied>([&](auto copied) {
      copied.setBytes(static_cast<double>(result.bytes));
      copied.setEntries(static_cast<double>(result.entries));
      copied.setSkipped(static_cast<double>(result.skipped));
      copied.setMillis(static_cast<double>(took / kj::MILLISECONDS));
    }));
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
    console.note(
        kj::str("left out, for devices, FIFOs and sockets are not copied: ", result.skipped));
  }
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> copyCommand() {
  return kj::heap<CopyCommand>();
}

}  // namespace bothy
