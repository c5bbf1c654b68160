#include "command/command.h"
#include "console/failure.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy stop [--grace TIME | --force] NAME

Ends a workspace's machine; its disk stays.  Programs are asked to end; what still runs after the grace is
killed.  If the machine has not ended by itself then, it is ended by force, and writes that were not
synced are lost: the result says which it was.

  --grace TIME  30s, 2m, 500ms; at most 10m (30s)
  -f, --force   at once, by force

With --json: {"stopped":"orderly"}, "forced" or "already".
)"_kj;

constexpr auto MAX_GRACE = 10 * kj::MINUTES;

kj::StringPtr jsonNameOf(rpc::Supervisor::StopKind kind) {
  switch (kind) {
    case rpc::Supervisor::StopKind::ORDERLY:
      return "orderly";
    case rpc::Supervisor::StopKind::FORCED:
      return "forced";
    case rpc::Supervisor::StopKind::ALREADY:
      return "already";
  }
  return "unknown";
}

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

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  auto grace = 30 * kj::SECONDS;
  bool force = false;
  OptionParser parser(self.name);
  addCommonOptions(context, parser);
  parser.flag('f', "force", force);
  parser.value(0, "grace", [&](kj::StringPtr text) {
    KJ_IF_MAYBE (duration, parseDuration(text)) {
      grace = *duration;
      if (grace <= MAX_GRACE) return;
    }
    parser.fail(kj::str("--grace wants a time up to 10m, like 30s, not ", text));
  });
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  auto name = oneOperand(self, arguments, "name");

  auto link = context.connector.connect();
  auto request = link->supervisor().stopRequest();
  request.setName(name);
  request.setGraceMillis(force ? 0 : static_cast<uint32_t>(grace / kj::MILLISECONDS));
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  if (outcome.isAbsent()) kj::throwFatalException(noSuchWorkspace(name));
  if (outcome.isBusy()) kj::throwFatalException(workspaceBusy(name, outcome.getBusy()));
  auto kind = outcome.getStopped();
  if (context.console.wantsJson()) {
    context.console.print(kj::str("{\"stopped\":\"", jsonNameOf(kind), "\"}\n"));
  } else {
    context.console.note(kj::str(name, " ", sentenceFor(kind)));
  }
  co_return SUCCESS;
}

}  // namespace

Command stopCommand() {
  return {"stop", "stop a workspace; its disk stays", HELP, run, FAILURE, false};
}

}  // namespace bothy
