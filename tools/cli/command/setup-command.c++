#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "supervisor/names.h"
#include "supervisor/outcome.h"
#include "transfer/copy-session.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Shows the set-up steps of a workspace, which `bothy create --setup` has given it: which are done, which is being done, with
the last line that it has said, and which has failed and why.

`--log STEP` prints what a step has said, `--retry` does the one that has failed again and goes on from there, and `--wait` returns when
nothing of it is being done any more.  A workspace runs, and can be entered, whatever becomes of its set-up.)"_kj;

constexpr kj::StringPtr AFTER =
    R"(The exit code is 1 where a step has failed.

With --json: a SetupInfo of setup.capnp.)"_kj;

constexpr auto LOOK_PAUSE = 500 * kj::MILLISECONDS;

using State = rpc::SetupInfo::State;

kj::StringPtr nameOf(State state) {
  switch (state) {
    case State::PENDING:
      return "pending";
    case State::RUNNING:
      return "running";
    case State::DONE:
      return "done";
    case State::FAILED:
      return "failed";
  }
  return "?";
}

bool has(rpc::SetupInfo::Reader info, State state) {
  for (auto step : info.getSteps()) {
    if (step.getState() == state) return true;
  }
  return false;
}

class SetupCommand final: public Command {
public:
  SetupCommand()
      : Command({"setup", "show how a workspace is set up, or go on with that", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[--retry] [--wait] NAME");
    usage.form("--log STEP NAME");
    usage.describe(TEXT, AFTER);
    usage.option(0, "log", {"STEP"}, "print what this step, from 1 on, has said",
                 [this, &usage](kj::StringPtr text) {
                   wantedLog = parseNumber(text, UINT32_MAX).orDefault(0);
                   if (wantedLog == 0) {
                     usage.fail(kj::str("--log wants the number of a step, not ", text));
                   }
                 });
    usage.flag(0, "retry", "do the step that has failed again, and go on", retries);
    usage.flag(0, "wait", "return when nothing of it is being done any more", waits);
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
  uint64_t wantedLog = 0;
  bool retries = false;
  bool waits = false;

  using Response = capnp::Response<rpc::Supervisor::SetupResults>;
  kj::Promise<Response> ask(rpc::Supervisor::Client supervisor, bool isRetry);
  kj::Promise<int> printLog(Context& context, rpc::SetupInfo::Reader info);
  int show(Context& context, rpc::SetupInfo::Reader info);
};

kj::Promise<SetupCommand::Response> SetupCommand::ask(rpc::Supervisor::Client supervisor,
                                                      bool isRetry) {
  auto request = supervisor.setupRequest();
  request.setName(name);
  request.setRetry(isRetry);
  auto response = co_await request.send();
  using Outcome = rpc::Supervisor::SetupOutcome;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::FOUND:
      co_return kj::mv(response);
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(supervisor, name));
    case Outcome::NOT_RUNNING:
      kj::throwFatalException(
          failure(kj::str(name, " does not run (", bothy::nameOf(outcome.getNotRunning()),
                          "): `bothy start ", name, "`")));
    case Outcome::AGENT_TOO_OLD:
      kj::throwFatalException(failure(kj::str(
          name, " runs an agent that knows no set-up (generation ", outcome.getAgentTooOld(),
          "): build its image anew, `bothy stop ", name, "` and `bothy start ", name, "`")));
    case Outcome::NOTHING_FAILED:
      kj::throwFatalException(
          failure(kj::str("no step of ", name, " has failed: there is nothing to be done again")));
    case Outcome::FAILED:
      kj::throwFatalException(failure(
          kj::str(name, ": ", escapeGuestText(outcome.getFailed().asArray()), ": try again")));
  }
  kj::throwFatalException(newerSupervisor());
}

kj::Promise<int> SetupCommand::printLog(Context& context, rpc::SetupInfo::Reader info) {
  auto steps = info.getSteps();
  if (wantedLog > steps.size()) {
    kj::throwFatalException(
        failure(kj::str(name, " has ", steps.size(), " set-up steps, and no step ", wantedLog)));
  }
  auto path = kj::str(steps[wantedLog - 1].getLog());
  if (steps[wantedLog - 1].getState() == State::PENDING) {
    kj::throwFatalException(failure(kj::str("step ", wantedLog, " has not begun yet")));
  }
  auto output = CopyEnd::parse("-");
  auto copy = newDownload(context, output, nullptr);
  // What root's commands have said is root's.
  CopySession session(context, name, "root"_kj, rpc::FileAccess::READ, path);
  co_await session.run(*copy);
  co_return SUCCESS;
}

int SetupCommand::show(Context& context, rpc::SetupInfo::Reader info) {
  const int code = has(info, State::FAILED) ? FAILURE : SUCCESS;
  if (context.console.wantsJson()) {
    context.console.print(kj::str(toJson(info), "\n"));
    return code;
  }
  if (info.getSteps().size() == 0) {
    context.console.note(kj::str(name, " has no set-up steps"));
    return code;
  }
  const kj::StringPtr headings[] = {"STEP", "STATE", "NAME", "DETAIL"};
  Table table(headings);
  kj::uint number = 0;
  for (auto step : info.getSteps()) {
    const kj::String cells[] = {kj::str(++number), kj::str(nameOf(step.getState())),
                                kj::str(step.getName()), kj::str(step.getDetail())};
    table.add(cells);
  }
  context.console.print(table.render());
  return code;
}

kj::Promise<int> SetupCommand::run(Context& context, Usage& usage) {
  if (wantedLog > 0 && (retries || waits)) usage.fail("--log goes with no other option");
  auto link = context.connector.connect();
  auto response = co_await ask(link->supervisor(), retries);
  if (wantedLog > 0) co_return co_await printLog(context, response.getOutcome().getFound());
  while (waits && has(response.getOutcome().getFound(), State::RUNNING)) {
    co_await context.timer.afterDelay(LOOK_PAUSE);
    auto next = co_await ask(link->supervisor(), false);
    response = kj::mv(next);
  }
  co_return show(context, response.getOutcome().getFound());
}

}  // namespace

kj::Own<Command> setupCommand() {
  return kj::heap<SetupCommand>();
}

}  // namespace bothy
