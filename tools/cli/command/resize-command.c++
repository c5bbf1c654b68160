#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/invalid-spec.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Makes the disk of a workspace larger that does not run; at its next start the file system is as large, and
what is on it stays.  A disk never shrinks, and one of up to 4 TiB grows to 4.)"_kj;

class ResizeCommand final: public Command {
public:
  ResizeCommand() : Command({"resize", "make a workspace's disk larger", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("NAME --disk SIZE");
    usage.describe(TEXT, "With --json: the workspace, as `bothy ls --json` shows it.");
    usage.option(
        0, "disk", sizeValue(), "the whole size, like 20G or 500M, whole MiB",
        [this, &usage](kj::StringPtr text) { diskMib = parseSize(usage, "--disk", text); });
    usage.operand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
  uint32_t diskMib = 0;
};

kj::Promise<int> ResizeCommand::run(Context& context, Usage& usage) {
  if (diskMib == 0) usage.fail("--disk SIZE is missing");

  auto link = context.connector.connect();
  auto request = link->supervisor().resizeRequest();
  request.setName(name);
  request.setDiskMib(diskMib);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case rpc::Supervisor::ResizeOutcome::RESIZED:
      break;
    case rpc::Supervisor::ResizeOutcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case rpc::Supervisor::ResizeOutcome::BUSY:
      if (outcome.getBusy() == rpc::WorkspaceState::RUNNING ||
          outcome.getBusy() == rpc::WorkspaceState::PAUSED ||
          outcome.getBusy() == rpc::WorkspaceState::HIBERNATED) {
        kj::throwFatalException(failure(
            kj::str(name, " is ", nameOf(outcome.getBusy()), ": `bothy stop ", name, "` first")));
      }
      kj::throwFatalException(workspaceBusy(name, outcome.getBusy()));
    case rpc::Supervisor::ResizeOutcome::INVALID:
      kj::throwFatalException(failure(describeInvalid(outcome.getInvalid())));
    case rpc::Supervisor::ResizeOutcome::NO_SPACE:
      kj::throwFatalException(failure(kj::str("the disk of ", name, " is as it was: ",
                                              escapeGuestText(outcome.getNoSpace().asArray()))));
    case rpc::Supervisor::ResizeOutcome::FAILED:
      kj::throwFatalException(failure(kj::str("the disk of ", name, " is as it was: ",
                                              escapeGuestText(outcome.getFailed().asArray()))));
    case rpc::Supervisor::ResizeOutcome::NO_CAPACITY:
      kj::throwFatalException(noCapacity(name, outcome.getNoCapacity()));
    case rpc::Supervisor::ResizeOutcome::UNDERWAY:
      kj::throwFatalException(stillUnderway(name, outcome.getUnderway()));
    default:
      kj::throwFatalException(newerSupervisor());
  }
  if (context.console.wantsJson()) {
    context.console.print(kj::str(toJson(outcome.getResized()), "\n"));
  } else {
    context.console.note(kj::str("the disk of ", name, " has ",
                                 formatBytes(uint64_t{diskMib} << 20), " from its next start on"));
  }
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> resizeCommand() {
  return kj::heap<ResizeCommand>();
}

}  // namespace bothy
