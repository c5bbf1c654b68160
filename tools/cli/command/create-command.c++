#include <kj/debug.h>

#include "command/command.h"
#include "command/stage-display.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy create [OPTION]... NAME

Makes a workspace, a virtual machine with a disk of its own, and starts it.

  --image NAME       image it boots ("base")
  --cpus N           virtual CPUs (1)
  --memory SIZE      RAM: 512M, 2G; a number alone is MiB (512M)
  --disk SIZE        its disk: 4G, 20G (4G)
  --no-start         make it only
  --request-id TEXT  makes the call repeatable: the same id and the same options give the same workspace

NAME: small letters, digits and dashes, at most 63.
With --json the result is the workspace, as `ls --json` shows it.
)"_kj;

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  kj::StringPtr image;
  kj::StringPtr requestId;
  bool noStart = false;
  uint16_t cpus = 0;
  uint32_t memory = 0;
  uint32_t disk = 0;
  OptionParser parser(self.name);
  addCommonOptions(context, parser);
  parser.value(0, "image", image);
  parser.value(0, "request-id", requestId);
  parser.flag(0, "no-start", noStart);
  parser.value(0, "cpus", [&](kj::StringPtr text) {
    KJ_IF_MAYBE (number, parseNumber(text, UINT16_MAX)) {
      cpus = static_cast<uint16_t>(*number);
    } else {
      parser.fail(kj::str("--cpus wants a number, not ", text));
    }
  });
  parser.value(0, "memory",
               [&](kj::StringPtr text) { memory = sizeOption(parser, "--memory", text); });
  parser.value(0, "disk", [&](kj::StringPtr text) { disk = sizeOption(parser, "--disk", text); });
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  auto name = oneOperand(self, arguments, "name");

  StageDisplay display(context.console, context.timer);
  auto begun = context.timer.now();
  auto link = context.connector.connect();
  auto request = link->supervisor().createRequest();
  auto spec = request.initSpec();
  spec.setName(name);
  spec.setImage(image);
  spec.setCpus(cpus);
  spec.setMemoryMib(memory);
  spec.setDiskMib(disk);
  request.setRequestId(requestId);
  request.setStart(!noStart);
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
            noStart ? kj::str(name, " was created: `bothy start ", name, "`")
                    : kj::str(name, " is running after ", took, ": `bothy shell ", name, "`"));
      }
      co_return SUCCESS;
    }
    case Outcome::EXISTS:
      kj::throwFatalException(failure(kj::str("there is a workspace ", name, " already (",
                                              nameOf(outcome.getExists().getState()), ")")));
    case Outcome::INVALID:
      kj::throwFatalException(
          usageFailure(self.name, escapeGuestText(outcome.getInvalid().asArray())));
    case Outcome::NO_SUCH_IMAGE:
      kj::throwFatalException(
          failure(kj::str("there is no image ", escapeGuestText(outcome.getNoSuchImage().asArray()),
                          ": `bothy-image build` makes one")));
    case Outcome::REQUEST_CONFLICT:
      kj::throwFatalException(failure(kj::str("the request id ", requestId,
                                              " was used before with other options: use another")));
    case Outcome::FAILED:
      failStart(context.console, name, outcome.getFailed());
    case Outcome::STOPPED:
      kj::throwFatalException(stoppedBeforeItRan(name));
    case Outcome::NO_SPACE:
      kj::throwFatalException(failure(kj::str("the host's disk cannot hold it (",
                                              escapeGuestText(outcome.getNoSpace().asArray()),
                                              "): make room, or ask for a smaller --disk")));
  }
  kj::throwFatalException(newerSupervisor());
}

}  // namespace

Command createCommand() {
  return {"create", "make a workspace and start it", HELP, run, FAILURE, false};
}

}  // namespace bothy
