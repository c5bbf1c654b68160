#include "session/terminal-session.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr auto RECONNECT_FOR = 10 * kj::MINUTES;
// How long the local terminal may take to show the last output.
constexpr auto LAST_OUTPUT = 30 * kj::SECONDS;
constexpr LocalTerminal::Size PIPE_SIZE{80, 24, 0, 0};

}  // namespace

class TerminalSession::Viewer final: public rpc::TerminalViewer::Server {
public:
  // `gone` is fulfilled when nobody can call this viewer any more.
  Viewer(TerminalSession& session, kj::Own<kj::PromiseFulfiller<void>> gone)
      : session(session), gone(kj::mv(gone)) {}
  ~Viewer() noexcept(false) { gone->fulfill(); }

  kj::Promise<void> output(OutputContext context) override {
    auto params = context.getParams();
    return session.output.accept(params.getSequence(), params.getData());
  }

  kj::Promise<void> gap(GapContext context) override {
    auto params = context.getParams();
    return session.output.skip(params.getSequence(), params.getLost());
  }

  kj::Promise<void> resized(ResizedContext context) override { return kj::READY_NOW; }

  kj::Promise<void> exited(ExitedContext context) override {
    auto status = context.getParams().getStatus();
    if (status.isLost()) {
      session.end(Detached{kj::str("the program ended, but how is not known"), EXEC_FAILED});
    } else {
      session.end(Exited{exitCodeOf(status)});
    }
    return kj::READY_NOW;
  }

private:
  TerminalSession& session;
  kj::Own<kj::PromiseFulfiller<void>> gone;
};

TerminalSession::TerminalSession(Context& context, Target target, DetachKeys keys)
    : context(context),
      target(target),
      interactive(context.terminal.isInteractive()),
      connection(context, target.workspace, WantedLane::interactive(), RECONNECT_FOR,
                 [this](kj::StringPtr text) { notice(text); }),
      input(context, kj::mv(keys)),
      output(context),
      whenEnded(nullptr) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  ended = kj::mv(paf.fulfiller);
  whenEnded = paf.promise.fork();
}

TerminalSession::~TerminalSession() noexcept(false) {}

kj::Promise<int> TerminalSession::run() {
  kj::Maybe<int> interrupted;
  co_await open().exclusiveJoin(
      context.signals.next().then([&interrupted](int number) { interrupted = number; }));
  KJ_IF_MAYBE (number, interrupted) co_return SIGNAL_BASE + *number;
  {
    kj::Own<void> rawMode;
    if (interactive) {
      auto howToLeave = input.howToLeave();
      if (howToLeave.size() > 0) {
        context.console.progress(
            kj::str("\x1b[2m[", howToLeave, " leaves this terminal; it goes on]\x1b[0m\n"));
      }
      rawMode = context.terminal.enterRawMode();
    }
    auto showing = showOutput().eagerlyEvaluate(nullptr);
    auto others = kj::Vector<kj::Promise<void>>();
    others.add(readInput().eagerlyEvaluate(nullptr));
    others.add(followSize().eagerlyEvaluate(nullptr));
    others.add(followSignals().eagerlyEvaluate(nullptr));
    co_await whenEnded.addBranch().exclusiveJoin(keepAttached());
    others.clear();
    current = nullptr;
    output.finish();
    co_await showing.exclusiveJoin(context.timer.afterDelay(LAST_OUTPUT));
    if (interactive) context.console.progress(output.resetSequence());
  }
  co_return conclude();
}

int TerminalSession::conclude() {
  auto& how = KJ_ASSERT_NONNULL(ending);
  KJ_SWITCH_ONEOF(how) {
    KJ_CASE_ONEOF(exited, Exited) return exited.code;
    KJ_CASE_ONEOF(detached, Detached) {
      auto& reason = detached.reason;
      if (detached.code != SUCCESS && detached.code < SIGNAL_BASE) {
        kj::throwFatalException(failure(reason, detached.code));
      }
      if (interactive) context.console.progress("\n");
      context.console.note(kj::str(reason, reason.size() > 0 ? ": " : "", "left terminal ", id,
                                   ", it goes on: `bothy shell ", target.workspace, " --attach ",
                                   id, "` comes back"));
      return detached.code;
    }
  }
  KJ_UNREACHABLE;
}

void TerminalSession::end(Ending how) {
  if (ending != nullptr) return;
  ending = kj::mv(how);
  ended->fulfill();
}

bool TerminalSession::setSize(rpc::WindowSize::Builder builder) {
  bool known = false;
  auto size = PIPE_SIZE;
  KJ_IF_MAYBE (s, context.terminal.size()) {
    size = *s;
    known = true;
  }
  builder.setColumns(size.columns);
  builder.setRows(size.rows);
  builder.setWidthPixels(size.widthPixels);
  builder.setHeightPixels(size.heightPixels);
  return known;
}

void TerminalSession::notice(kj::StringPtr text) {
  if (interactive) {
    context.console.progress(kj::str("\r\n\x1b[2m[bothy: ", text, "]\x1b[0m\r\n"));
  } else {
    context.console.note(text);
  }
}

kj::Promise<void> TerminalSession::open() {
  // Only the lane is asked for again: a second `open` would be a second terminal.
  kj::Own<WorkspaceLane> lane;
  co_await connection.reconnection().begin([&](auto newLane) -> kj::Promise<void> {
    lane = kj::mv(newLane);
    return kj::READY_NOW;
  });
  auto agent = lane->agent();
  auto terminals = agent.terminalsRequest().send().getTerminals();
  auto gone = kj::newPromiseAndFulfiller<void>();
  rpc::TerminalViewer::Client viewer = kj::heap<Viewer>(*this, kj::mv(gone.fulfiller));

  // What can travels at once; the answers are looked at afterwards.
  KJ_IF_MAYBE (existing, target.attachTo) {
    id = *existing;
    auto getRequest = terminals.getRequest();
    getRequest.setId(id);
    auto getting = getRequest.send();
    auto terminal = getting.getTerminal();
    auto describing = terminal.infoRequest().send();

    auto got = co_await getting;
    if (got.getOutcome().isAbsent()) {
      kj::throwFatalException(
          failure(kj::str("there is no terminal ", id, " in ", target.workspace, ": `bothy shell ",
                          target.workspace, " --list` lists them")));
    }
    auto described = co_await describing;
    auto info = described.getInfo();

    auto attachRequest = terminal.attachRequest();
    attachRequest.initFrom().setOldest();
    attachRequest.setOutput(kj::mv(viewer));
    auto size = attachRequest.initSize();
    bool toTerminal = setSize(size.initSize());
    if (interactive) {
      auto sameSize = size.getSize().getColumns() == info.getSize().getColumns() &&
                      size.getSize().getRows() == info.getSize().getRows();
      output.startWithReplay(sameSize, info.getProduced());
    }
    if (!toTerminal) size.setUnchanged();
    auto answer = co_await attachRequest.send();
    attached(kj::mv(lane), kj::mv(terminal), answer.getAttachment(), kj::mv(gone.promise));
  } else {
    auto openRequest = terminals.openRequest();
    target.command.fill(openRequest.initCommand());
    bool toTerminal = setSize(openRequest.initSize());
    openRequest.setTerm(toTerminal ? context.terminalType : "dumb"_kj);
    auto opening = openRequest.send();
    auto terminal = opening.getTerminal();
    auto attachRequest = terminal.attachRequest();
    attachRequest.initFrom().setOldest();
    attachRequest.setOutput(kj::mv(viewer));
    attachRequest.initSize().setUnchanged();
    output.startAtZero();
    auto attaching = attachRequest.send();

    auto opened = co_await opening;
    if (opened.getOutcome().isFailed()) {
      kj::throwFatalException(describeFailure(opened.getOutcome().getFailed()));
    }
    id = opened.getId();
    auto answer = co_await attaching;
    attached(kj::mv(lane), opened.getTerminal(), answer.getAttachment(), kj::mv(gone.promise));
  }
  readingBootId = readBootId(kj::mv(agent)).eagerlyEvaluate(nullptr);
}

void TerminalSession::attached(kj::Own<WorkspaceLane> lane, rpc::Terminal::Client terminal,
                               rpc::Attachment::Client attachment, kj::Promise<void> viewerGone) {
  auto lost = lane->onDisconnect().exclusiveJoin(kj::mv(viewerGone)).fork();
  auto writing = input.sendTo(terminal).eagerlyEvaluate([](kj::Exception&& exception) {
    // The terminal is gone or ends: the viewer learns it too, and says how.
  });
  current =
      Attached{kj::mv(lane), kj::mv(terminal), kj::mv(attachment), kj::mv(lost), kj::mv(writing)};
}

kj::Promise<void> TerminalSession::readBootId(rpc::Agent::Client agent) {
  auto system = agent.systemRequest().send().getSystem();
  auto answer = co_await system.reportRequest().send();
  bootId = kj::str(answer.getReport().getBootId());
}

kj::Promise<void> TerminalSession::keepAttached() {
  while (ending == nullptr) {
    co_await KJ_ASSERT_NONNULL(current).lost.addBranch();
    // The program's end is told over the connection that ends with it.
    if (ending != nullptr) co_return;
    current = nullptr;
    notice("the connection was lost, connecting again");
    co_await reconnect();
  }
  co_await whenEnded.addBranch();
}

kj::Promise<void> TerminalSession::reconnect() {
  auto back =
      connection.reconnection().run([this](auto lane) { return attachAgain(kj::mv(lane)); });
  co_await back.then([this]() { notice("connected again"); },
                     [this](kj::Exception&& exception) {
                       auto told = describe(exception);
                       end(Detached{kj::mv(told.message), EXEC_FAILED});
                     });
}

kj::Promise<void> TerminalSession::attachAgain(kj::Own<WorkspaceLane> lane) {
  auto agent = lane->agent();
  // Ids are used again after a boot, for other terminals.
  auto system = agent.systemRequest().send().getSystem();
  auto report = co_await system.reportRequest().send();
  if (bootId.size() > 0 && report.getReport().getBootId() != bootId) {
    kj::throwFatalException(
        failure(kj::str(target.workspace, " was started anew: terminal ", id, " ended with it"),
                EXEC_FAILED));
  }
  auto terminals = agent.terminalsRequest().send().getTerminals();
  auto getRequest = terminals.getRequest();
  getRequest.setId(id);
  auto got = co_await getRequest.send();
  if (got.getOutcome().isAbsent()) {
    kj::throwFatalException(
        failure(kj::str("terminal ", id, " ended while the connection was lost"), EXEC_FAILED));
  }
  auto terminal = got.getTerminal();
  auto gone = kj::newPromiseAndFulfiller<void>();
  auto attachRequest = terminal.attachRequest();
  auto from = attachRequest.initFrom();
  KJ_IF_MAYBE (next, output.position()) {
    from.setSequence(*next);
  } else {
    from.setOldest();
  }
  attachRequest.setOutput(kj::heap<Viewer>(*this, kj::mv(gone.fulfiller)));
  auto size = attachRequest.initSize();
  if (!setSize(size.initSize())) size.setUnchanged();
  auto answer = co_await attachRequest.send();
  attached(kj::mv(lane), kj::mv(terminal), answer.getAttachment(), kj::mv(gone.promise));
}

kj::Promise<void> TerminalSession::readInput() {
  switch (co_await input.read()) {
    case TerminalInput::End::LEFT:
      end(Detached{kj::String(), SUCCESS});
      break;
    case TerminalInput::End::GONE:
      end(Detached{kj::str("the local terminal is gone"), SIGNAL_BASE + 1});  // as SIGHUP
      break;
    case TerminalInput::End::WHOLE:
      break;
  }
}

kj::Promise<void> TerminalSession::showOutput() {
  return output.show().catch_([this](kj::Exception&& exception) {
    if (isOutputClosed(exception)) {
      end(Detached{kj::str("nobody reads the output"), OUTPUT_CLOSED});
    } else {
      auto told = describe(exception);
      end(Detached{kj::str(told.message, ": left terminal ", id, ", it goes on"), EXEC_FAILED});
    }
  });
}

kj::Promise<void> TerminalSession::followSize() {
  while (true) {
    co_await context.terminal.onResize();
    KJ_IF_MAYBE (c, current) {
      auto request = c->terminal.resizeRequest();
      if (!setSize(request.initSize())) continue;
      // After a lost connection the new attachment brings the size.
      co_await request.send().ignoreResult().catch_([](kj::Exception&&) {});
    }
  }
}

kj::Promise<void> TerminalSession::followSignals() {
  int number = co_await context.signals.next();
  end(Detached{kj::str("ended by signal ", number), SIGNAL_BASE + number});
}

}  // namespace bothy
