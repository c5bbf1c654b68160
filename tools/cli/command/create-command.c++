#include "command/create-command.h"

#include <kj/debug.h>

#include "command/command.h"
#include "command/setup-report.h"
#include "command/stage-display.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/invalid-spec.h"
#include "supervisor/outcome.h"
#include "supervisor/setup-file.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr AFTER =
    R"(NAME: small letters, digits and dashes, at most 63.

FILE has JSON: {"steps": [...]}, and perhaps {"environment": {"NAME": "TEXT"}}.  The steps are done in order, once, when the
workspace has booted first.  Each has a "name" for people, and is a command or a file:

`{"name": "Installing tools", "run": "make -C /opt/tools install", "as": "root", "timeout": "5m"}` runs a script of /bin/sh, or a program
if "run" is a list, as "root" or the workspace's "user" (user), for as long as "timeout" says (10m).

`{"name": "Settings", "file": "/etc/tool.conf", "content": "a=b\n", "owner": "root", "mode": "0644"}` places a file, or with "source" in the place
of "content" the one of that path, which begins beside FILE.

A step in which the machine ends, by whatever, is done again from its beginning; one in which it has ended three times, as one that
reboots it, has failed.  Where a step fails the workspace runs all the same, and the exit code is 1: see `bothy setup`.  It is 1 too where the workspace
does not run any more when its set-up is over.

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
    co_return co_await createWorkspace(context, workspace);
  }

private:
  NewWorkspace workspace;
};

kj::StringPtr nameIn(kj::StringPtr pair, kj::String& name) {
  const auto equals = KJ_ASSERT_NONNULL(pair.findFirst('='));
  name = kj::str(pair.slice(0, equals));
  return pair.slice(equals + 1);
}

// Those of the file first.
void fillConfiguration(rpc::WorkspaceSpec::Builder spec, const NewWorkspace& call) {
  kj::String name;
  auto labels = spec.initLabels(call.labels.size());
  for (auto i : kj::indices(call.labels)) {
    labels[i].setValue(nameIn(call.labels[i], name));
    labels[i].setKey(name);
  }
  capnp::MallocMessageBuilder file;
  auto given = file.getRoot<rpc::Configuration>();
  if (call.setupFile.size() > 0) {
    readSetupFile(call.setupFile, file);
    given = file.getRoot<rpc::Configuration>();
    spec.initConfiguration().setSetup(given.getSetup());
  }
  const auto fromFile = given.getEnvironment().size();
  if (fromFile + call.environment.size() == 0) return;
  auto variables = spec.getConfiguration().initEnvironment(fromFile + call.environment.size());
  for (kj::uint i = 0; i < fromFile; i++) {
    variables.setWithCaveats(i, given.getEnvironment()[i]);
  }
  for (auto i : kj::indices(call.environment)) {
    variables[fromFile + i].setValue(nameIn(call.environment[i], name));
    variables[fromFile + i].setName(name);
  }
}

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
  usage.option('e', "env", {"NAME=TEXT"},
               "a variable that all its programs and terminals get; may be repeated",
               [&workspace, &usage](kj::StringPtr given) {
                 workspace.environment.add(requirePair(usage, "--env", given));
               });
  usage.option('l', "label", {"KEY=TEXT"},
               "something that is said of it, see `bothy ls --label`; may be repeated",
               [&workspace, &usage](kj::StringPtr given) {
                 workspace.labels.add(requirePair(usage, "--label", given));
               });
  usage.option(0, "setup", {"FILE", Value::Kind::FILE},
               "what is to be done in it when it has booted first, see below", workspace.setupFile);
}

void fill(rpc::WorkspaceSpec::Builder spec, const NewWorkspace& workspace) {
  spec.setName(workspace.name);
  spec.setImage(workspace.image);
  spec.setCpus(workspace.cpus);
  spec.setMemoryMib(workspace.memoryMib);
  spec.setDiskMib(workspace.diskMib);
  spec.setTier(workspace.tier);
  fillConfiguration(spec, workspace);
}

kj::Promise<int> createWorkspace(Context& context, const NewWorkspace& call) {
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
      auto created = outcome.getCreated();
      const bool isJson = context.console.wantsJson();
      if (isJson) context.console.print(kj::str(toJson(created), "\n"));
      if (!call.start) {
        if (!isJson) {
          context.console.note(kj::str(name, " was created: `bothy start ", name, "`"));
        }
        co_return reportSetup(context.console, created);
      }
      auto took = formatDuration(context.timer.now() - begun);
      co_return reportStart(
          context.console, created,
          kj::str(name, " is running after ", took, ": `bothy shell ", name, "`"));
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
