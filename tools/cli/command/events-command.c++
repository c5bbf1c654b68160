#include <kj/debug.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Shows what happened to workspaces, or to the one that is named, which may be gone, oldest first: of each workspace
the last 1000 events of 90 days are kept.  Equal notices are one event, with a count.)"_kj;

class Printer final: public rpc::EventSink::Server {
public:
  // `stopped` is fulfilled with the event `last`, after which nothing is shown; it may become known later.
  // Empty `workspace`: of all.
  Printer(Console& console, kj::StringPtr workspace, kj::Own<kj::PromiseFulfiller<void>> stopped)
      : console(console), workspace(workspace), stopped(kj::mv(stopped)) {}

  ~Printer() noexcept(false) { stopped->reject(lost()); }

  static kj::Exception lost() {
    return failure("the connection to bothyd was lost: start again with --after");
  }

  kj::Promise<void> event(EventContext context) override {
    auto event = context.getParams().getEvent();
    if (event.getNumber() > last) {
      // It may be the one that was the last, counted anew.
      stopped->fulfill();
      return kj::READY_NOW;
    }
    const bool isWanted = workspace.size() == 0 || event.getWorkspace() == workspace;
    auto failure = kj::runCatchingExceptions([&] {
      if (isWanted) print(event);
    });
    KJ_IF_MAYBE (reason, failure) {
      stopped->reject(kj::mv(*reason));
      last = 0;
    }
    shown = event.getNumber();
    stopIfDone();
    return kj::READY_NOW;
  }

  void stopAt(uint64_t number) {
    last = number;
    stopIfDone();
  }

private:
  Console& console;
  const kj::StringPtr workspace;
  kj::Own<kj::PromiseFulfiller<void>> stopped;
  uint64_t shown = 0;
  uint64_t last = UINT64_MAX;

  void stopIfDone() {
    if (shown >= last) stopped->fulfill();
  }

  void print(rpc::Event::Reader event) {
    if (console.wantsJson()) {
      console.print(kj::str(toJson(event), "\n"));
      return;
    }
    auto detail = escapeGuestText(event.getDetail().asArray());
    console.print(kj::str(
        event.getNumber(), "  ", formatTime(event.getTimeNanos()), "  ",
        escapeGuestText(event.getWorkspace().asArray()), "  ", nameOf(event.getBefore()), " → ",
        event.getGone() ? "gone"_kj : nameOf(event.getAfter()), "  (", nameOf(event.getCause()),
        event.getActor().size() > 0 ? kj::str(" by ", escapeGuestText(event.getActor().asArray()))
                                    : nullptr,
        event.getCount() > 1 ? kj::str(", ", event.getCount(), " times") : nullptr, ")",
        detail.size() > 0 ? ": " : "", detail, "\n"));
  }
};

class EventsCommand final: public Command {
public:
  EventsCommand() : Command({"events", "what happened to workspaces", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("[--after N] [--follow] [NAME]");
    usage.describe(TEXT, "With --json: each line is an Event of supervisor.capnp.");
    usage.option(0, "after", {"N"}, "only events with a number above N",
                 [this, &usage](kj::StringPtr text) {
                   KJ_IF_MAYBE (number, parseNumber(text)) {
                     after = *number;
                   } else {
                     usage.fail(kj::str("--after wants an event's number, not ", text));
                   }
                 });
    usage.flag('f', "follow", "go on with what comes, until Ctrl-C", follow);
    usage.optionalOperand(WORKSPACE, name);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr name;
  uint64_t after = 0;
  bool follow = false;
};

kj::Promise<int> EventsCommand::run(Context& context, Usage& usage) {
  auto stopped = kj::newPromiseAndFulfiller<void>();
  auto printer = kj::heap<Printer>(context.console, name, kj::mv(stopped.fulfiller));
  auto& watcher = *printer;
  auto link = context.connector.connect();
  auto request = link->supervisor().watchRequest();
  request.setAfter(after);
  request.setSink(kj::mv(printer));
  auto watching = co_await request.send();
  if (watching.getFirst() > after + 1) {
    context.console.note(kj::str("events before ", watching.getFirst(), " are not kept any more"));
  }
  if (!follow) {
    if (watching.getLast() <= after) co_return SUCCESS;
    watcher.stopAt(watching.getLast());
  }
  auto lost = link->onDisconnect().then([]() -> kj::Promise<void> { return Printer::lost(); });
  co_await stopped.promise.exclusiveJoin(kj::mv(lost));
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> eventsCommand() {
  return kj::heap<EventsCommand>();
}

}  // namespace bothy
