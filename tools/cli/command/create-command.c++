#include "command/create-command.h"

#include <kj/debug.h>

#include "command/command.h"
#include "command/stage-display.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/invalid-spec.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr AFTER =
    R"(NAME: small letters, digits and dashes, at most 63.

With --json: the workspace, as `bothy ls --json` shows it.)"_kj;

constexpr kj::StringPtr CPU_COUNTS[] = {"1"_kj, "2"_kj, "4"_kj, "8"_kj};

class CreateCommand final: public Command {
public:
  CreateCommand() : Command({"create", "make a workspace and start it", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[OPTION]... NAME");
    usage.describe("Makes a workspace, a virtual machine with a disk of its own, and starts it.",
                   AFTER);
    declareSpec(usage, workspace);
    usage.flag(0, "no-start", "make it only", [this] { workspace.start = false; });
    usage.option(0, "request-id", {"TEXT"},
                 "makes the call repeatable: the same id and the same options give the same "
                 "workspace",
                 workspace.requestId);
    usage.operand({"NAME"}, workspace.name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    co_await createWorkspace(context, workspace);
    co_return SUCCESS;
  }

private:
  NewWorkspace workspace;
};

}  // namespace

void declareSpec(Usage& usage, NewWorkspace& workspace) {
  usage.option(0, "image", {"NAME"}, "image it boots (\"base\")", workspace.image);
  usage.option(0, "cpus", {"N", Value::Kind::WORDS, CPU_COUNTS}, "virtual CPUs (1)",
               [&workspace, &usage](kj::StringPtr text) {
                 const auto number = parseNumber(text, UINT16_MAX).orDefault(0);
                 if (number == 0) {
                   usage.fail(kj::str("--cpus wants a number from 1 on, not ", text));
                 }
                 workspace.cpus = static_cast<uint16_t>(number);
               });
  usage.option(0, "memory", sizeValue(), "RAM: 512M, 2G; a number alone is MiB (512M)",
               [&workspace, &usage](kj::StringPtr text) {
                 workspace.memoryMib = parseSize(usage, "--memory", text);
               });
  usage.option(0, "disk", sizeValue(), "its disk: 4G, 20G (4G)",
               [&workspace, &usage](kj::StringPtr text) {
                 workspace.diskMib = parseSize(usage, "--disk", text);
               });
  usage.option(0, "tier", {"TIER"},
               "figures of this tier, see `bothy tier ls`, in place of --cpus, --memory and --disk",
               workspace.tier);
}

void fill(rpc::WorkspaceSpec::Builder spec, const NewWorkspace& workspace) {
  spec.setName(workspace.name);
  spec.setImage(workspace.image);
  spec.setCpus(workspace.cpus);
  spec.setMemoryMib(workspace.memoryMib);
  spec.setDiskMib(workspace.diskMib);
  spec.setTier(workspace.tier);
}

kj::Promise<void> createWorkspace(Context& context, const NewWorkspace& call) {
  auto name = call.name;
  StageDisplay display(context.console, context.timer);
  auto begun = context.timer.now();
  auto link = context.connector.connect();
  auto request = link->supervisor().createRequest();
  fill(request.initSpec(), call);
  request.setRequestId(call.requestId);
  request.setStart(call.start);
  request.setProgress(display.progress());
  auto response = co_await request.send();

  using Outcome = rpc::Supervisor::CreateOutcome;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::CREATED: {
      display.finish();
      if (context.console.wantsJson()) {
        context.console.print(kj::str(toJson(outcome.getCreated()), "\n"));
      } else {
        auto took = formatDuration(context.timer.now() - begun);
        context.console.note(
            call.start ? kj::str(name, " is running after ", took, ": `bothy shell ", name, "`")
                       : kj::str(name, " was created: `bothy start ", name, "`"));
      }
      co_return;
    }
    case Outcome::EXISTS:
      kj::throwFatalException(failure(kj::str("there is a workspace ", name, " already (",
                                              nameOf(outcome.getExists().getState()), ")")));
    case Outcome::INVALID:
      kj::throwFatalException(usageFailure("create", describeInvalid(outcome.getInvalid())));
    case Outcome::NO_SUCH_IMAGE:
      kj::throwFatalException(noSuchImage(outcome.getNoSuchImage()));
    case Outcome::REQUEST_CONFLICT:
      kj::throwFatalException(failure(kj::str("the request id ", call.requestId,
                                              " was used before with other options: use another")));
    case Outcome::FAILED:
      failStart(context.console, name, outcome.getFailed());
    case Outcome::STOPPED:
      kj::throwFatalException(stoppedBeforeItRan(name));
    case Outcome::UNDERWAY:
      kj::throwFatalException(
          stillUnderway(name, outcome.getUnderway(), kj::str("`bothy start ", name, "`")));
    case Outcome::NO_CAPACITY:
      kj::throwFatalException(noCapacity(name, outcome.getNoCapacity()));
    case Outcome::NO_SPACE:
      kj::throwFatalException(failure(kj::str(escapeGuestText(outcome.getNoSpace().asArray()),
                                              ": make room, or ask for a smaller --disk")));
  }
  kj::throwFatalException(newerSupervisor());
}

kj::Own<Command> createCommand() {
  return kj::heap<CreateCommand>();
}

}  // namespace bothy
