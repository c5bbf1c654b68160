#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "result/cli.capnp.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Ends a workspace's machine; its disk stays.  Programs are asked to end; what still runs after the grace is
killed.  If the machine has not ended by itself then, it is ended by force, and writes that were not
synced are lost: the result says which it was.)"_kj;

constexpr auto MAX_GRACE = 10 * kj::MINUTES;
constexpr kj::StringPtr GRACES[] = {"10s"_kj, "30s"_kj, "2m"_kj, "10m"_kj};

kj::StringPtr sentenceFor(rpc::Supervisor::StopKind kind) {
  switch (kind) {
    case rpc::Supervisor::StopKind::ORDERLY:
      return "powered off in order";
    case rpc::Supervisor::StopKind::FORCED:
      return "was stopped by force: writes that were not synced are lost";
    case rpc::Supervisor::StopKind::ALREADY:
      return "was not running";
  }
  return "stopped";
}

class StopCommand final: public Command {
public:
  StopCommand() : Command({"stop", "stop a workspace; its disk stays", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[--grace TIME | --force] NAME");
    usage.describe(TEXT, R"(With --json: {"stopped":"orderly"}, "forced" or "already".)");
    usage.option(0, "grace", {"TIME", Value::Kind::WORDS, GRACES},
                 "how long programs may take: 30s, 2m, 500ms; at most 10m (30s)",
                 [this, &usage](kj::StringPtr text) {
                   KJ_IF_MAYBE (duration, parseDuration(text)) {
                     grace = *duration;
                     if (grace <= MAX_GRACE) return;
                   }
                   usage.fail(kj::str("--grace wants a time up to 10m, like 30s, not ", text));
                 });
    usage.flag('f', "force",
               "without a grace: programs are killed at once, and the machine only if it does not "
               "end then",
               force);
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
  kj::Duration grace = 30 * kj::SECONDS;
  bool force = false;
};

kj::Promise<int> StopCommand::run(Context& context, Usage& usage) {
  auto link = context.connector.connect();
  auto request = link->supervisor().stopRequest();
  request.setName(name);
  request.setGraceMillis(force ? 0 : static_cast<uint32_t>(grace / kj::MILLISECONDS));
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isAbsent())
    kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
  if (outcome.isBusy()) kj::throwFatalException(workspaceBusy(name, outcome.getBusy()));
  if (outcome.isUnderway()) kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
  if (!outcome.isStopped()) kj::throwFatalException(newerSupervisor());
  auto kind = outcome.getStopped();
  if (context.console.wantsJson()) {
    context.console.print(jsonLine<result::Stopped>([&](auto result) { result.setStopped(kind); }));
  } else {
    context.console.note(kj::str(name, " ", sentenceFor(kind)));
  }
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> stopCommand() {
  return kj::heap<StopCommand>();
}

}  // namespace bothy
