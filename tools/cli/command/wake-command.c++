#include "command/activity-text.h"
#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "result/cli.capnp.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(With --for, keeps a workspace awake for a time, though nobody uses it: a wake lock.  It starts and resumes nothing, and
holds over restarts.  With --release, ends one before its time.  Without either, shows those that there are.)"_kj;

constexpr kj::StringPtr AFTER =
    R"(With --json: an AwakeReason of activity.capnp, WakeLockReleased or WakeLocks of cli.capnp.)"_kj;

constexpr kj::StringPtr TIMES[] = {"30m"_kj, "2h"_kj, "8h"_kj};

class WakeCommand final: public Command {
public:
  WakeCommand() : Command({"wake", "keep a workspace awake for a time", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("NAME --for TIME [--reason TEXT]");
    usage.form("NAME --release ID");
    usage.form("NAME");
    usage.describe(TEXT, AFTER);
    usage.option(0, "for", {"TIME", Value::Kind::WORDS, TIMES},
                 "how long, up to 30d (a number alone is seconds)",
                 [this, &usage](kj::StringPtr text) {
                   KJ_IF_MAYBE (duration, parseDuration(text)) {
                     time = *duration;
                     return;
                   }
                   usage.fail(kj::str("--for wants a time like 30m, 8h or 2d, not ", text));
                 });
    usage.option(0, "reason", {"TEXT"}, "what for, for people", reason);
    usage.option(0, "release", {"ID"}, "end this wake lock", lock);
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    if (time != nullptr && lock.size() > 0) usage.fail("--for and --release exclude each other");
    if (reason.size() > 0 && time == nullptr) usage.fail("--reason goes with --for only");
    if (time != nullptr) {
      co_await take(context);
    } else if (lock.size() > 0) {
      co_await release(context);
    } else {
      co_await list(context);
    }
    co_return SUCCESS;
  }

private:
  kj::StringPtr name;
  kj::StringPtr reason;
  kj::StringPtr lock;
  kj::Maybe<kj::Duration> time;

  kj::Promise<void> take(Context& context);
  kj::Promise<void> release(Context& context);
  kj::Promise<void> list(Context& context);
};

kj::Promise<void> WakeCommand::take(Context& context) {
  auto link = context.connector.connect();
  auto request = link->supervisor().activityRequest().send().getActivity().keepAwakeRequest();
  request.setWorkspace(name);
  request.setForMillis(KJ_ASSERT_NONNULL(time) / kj::MILLISECONDS);
  request.setReason(reason);
  auto response = co_await request.send();
  using Outcome = rpc::WorkspaceActivity::KeepAwakeOutcome;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::TAKEN:
      if (context.console.wantsJson()) {
        context.console.print(kj::str(toJson(outcome.getTaken()), "\n"));
      } else {
        context.console.note(kj::str(name, " is kept awake until ",
                                     formatTime(outcome.getTaken().getUntilNanos()), ": wake lock ",
                                     escapeGuestText(outcome.getTaken().getId().asArray())));
      }
      co_return;
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case Outcome::INVALID:
      kj::throwFatalException(failure(kj::str("bothyd refuses this wake lock: ",
                                              escapeGuestText(outcome.getInvalid().asArray()))));
    case Outcome::TOO_MANY:
      kj::throwFatalException(failure(kj::str(name, " has ", rpc::MAX_WAKE_LOCKS,
                                              " wake locks, as many as it may: `bothy wake ", name,
                                              " --release` one")));
  }
  kj::throwFatalException(newerSupervisor());
}

kj::Promise<void> WakeCommand::release(Context& context) {
  auto link = context.connector.connect();
  auto request = link->supervisor().activityRequest().send().getActivity().releaseRequest();
  request.setWorkspace(name);
  request.setId(lock);
  auto response = co_await request.send();
  auto id = escapeGuestText(lock.asArray());
  if (!response.getReleased()) {
    kj::throwFatalException(
        failure(kj::str(name, " has no wake lock ", id, ", or it was over already")));
  }
  if (context.console.wantsJson()) {
    context.console.print(
        jsonLine<result::WakeLockReleased>([&](auto result) { result.setReleased(lock); }));
  } else {
    context.console.note(kj::str("wake lock ", id, " is over"));
  }
}

kj::Promise<void> WakeCommand::list(Context& context) {
  auto link = context.connector.connect();
  auto request = link->supervisor().activityRequest().send().getActivity().whyRequest();
  request.setWorkspace(name);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isAbsent()) {
    kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
  }
  if (!outcome.isFound()) kj::throwFatalException(newerSupervisor());
  kj::Vector<rpc::AwakeReason::Reader> locks;
  for (auto reason : outcome.getFound().getReasons()) {
    if (reason.getKind() == rpc::AwakeReason::Kind::WAKE_LOCK) locks.add(reason);
  }
  capnp::MallocMessageBuilder message;
  auto told = message.initRoot<result::WakeLocks>().initLocks(locks.size());
  for (auto i : kj::indices(locks)) told.setWithCaveats(i, locks[i]);
  if (context.console.wantsJson()) {
    context.console.print(
        jsonLine<result::WakeLocks>([&](auto result) { result.setLocks(told.asReader()); }));
  } else if (locks.size() == 0) {
    context.console.note(kj::str(name, " has no wake lock"));
  } else {
    context.console.print(tableOf(told.asReader()));
  }
}

}  // namespace

kj::Own<Command> wakeCommand() {
  return kj::heap<WakeCommand>();
}

}  // namespace bothy
