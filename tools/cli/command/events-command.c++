#include <kj/debug.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy events [--after N] [--follow]

Shows what happened to workspaces, oldest first: the last 10000 events are kept, numbered without a gap.

  --after N     only events with a number above N
  -f, --follow  go on with what comes, until Ctrl-C

With --json: each line is what supervisor.capnp calls Event.
)"_kj;

// Without --follow: so long after the last event the list is taken for complete.
constexpr auto QUIET = 200 * kj::MILLISECONDS;

class Printer final: public rpc::EventSink::Server {
public:
  Printer(Console& console, uint64_t& received) : console(console), received(received) {}

  kj::Promise<void> event(EventContext context) override {
    auto event = context.getParams().getEvent();
    ++received;
    if (console.wantsJson()) {
      console.print(kj::str(toJson(event), "\n"));
    } else {
      auto detail = escapeGuestText(event.getDetail().asArray());
      console.print(
          kj::str(event.getNumber(), "  ", formatTime(event.getTimeNanos()), "  ",
                  escapeGuestText(event.getWorkspace().asArray()), "  ", nameOf(event.getBefore()),
                  " → ", event.getGone() ? "gone"_kj : nameOf(event.getAfter()), "  (",
                  nameOf(event.getCause()), ")", detail.size() > 0 ? ": " : "", detail, "\n"));
    }
    return kj::READY_NOW;
  }

private:
  Console& console;
  uint64_t& received;
};

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  uint64_t after = 0;
  bool follow = false;
  OptionParser parser(self.name);
  addCommonOptions(context, parser);
  parser.flag('f', "follow", follow);
  parser.value(0, "after", [&](kj::StringPtr text) {
    KJ_IF_MAYBE (number, parseNumber(text)) {
      after = *number;
    } else {
      parser.fail(kj::str("--after wants an event's number, not ", text));
    }
  });
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  if (arguments.operands.size() > 0) parser.fail("events takes no names");

  uint64_t received = 0;
  auto link = context.connector.connect();
  auto request = link->supervisor().watchRequest();
  request.setAfter(after);
  request.setSink(kj::heap<Printer>(context.console, received));
  auto watching = co_await request.send();
  if (watching.getFirst() > after + 1) {
    context.console.note(kj::str("events before ", watching.getFirst(), " are not kept any more"));
  }
  if (follow) {
    co_await link->onDisconnect();
    kj::throwFatalException(failure("the connection to bothyd was lost: start again with --after"));
  }
  for (uint64_t before = UINT64_MAX; before != received;) {
    before = received;
    co_await context.timer.afterDelay(QUIET);
  }
  co_return SUCCESS;
}

}  // namespace

Command eventsCommand() {
  return {"events", "what happened to workspaces", HELP, run, FAILURE, false};
}

}  // namespace bothy
