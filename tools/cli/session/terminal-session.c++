#include "session/terminal-session.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "console/quantity.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr auto RECONNECT_FOR = 10 * kj::MINUTES;
// How long the local terminal may take to show the last output.
constexpr auto LAST_OUTPUT = 30 * kj::SECONDS;
// How long a terminal that was asked for may take to be opened once the user has given it up: it cannot be closed before.
constexpr auto LAST_OPENING = 1 * kj::SECONDS;
// How long what was typed before the detach keys may take to arrive.
constexpr auto LAST_INPUT = 1 * kj::SECONDS;
// bothyd knows by then why a lane is lost, where that is to be said: the workspace was paused, say.
constexpr auto LOSS_NOTICE_PAUSE = 250 * kj::MILLISECONDS;
constexpr LocalTerminal::Size PIPE_SIZE{80, 24, 0, 0};

}  // namespace

TerminalSession::TerminalSession(Context& context, Target target, DetachKeys keys,
                                 kj::Maybe<StartWorkspace> start)
    : context(context),
      target(target),
      interactive(context.terminal.isInteractive()),
      connection(
          context, target.workspace,
          target.viewOnly ? WantedLane::viewing() : WantedLane::interactive(), RECONNECT_FOR,
          [this](kj::StringPtr text) {
            // It says more than that something was lost.
            lossNotice = nullptr;
            notice(text);
          },
          kj::mv(start), interactive && !target.viewOnly ? "press a key to wake it"_kj : nullptr),
      input(
          context, kj::mv(keys),
          target.viewOnly ? TerminalInput::Use::DROPPED : TerminalInput::Use::SENT,
          [this](kj::StringPtr text) { notice(text); },
          [this]() {
            if (wasLost) connection.wake();
          }),
      output(context),
      terminal(connection.reconnection(), *this,
               interactive ? AttachedTerminal::Past::SCREEN : AttachedTerminal::Past::BYTES),
      whenEnded(nullptr) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  ended = kj::mv(paf.fulfiller);
  whenEnded = paf.promise.fork();
}

TerminalSession::~TerminalSession() noexcept(false) {}

kj::Promise<int> TerminalSession::run() {
  // It leaves the terminal as any other does.
  context.signals.takeQuit();
  kj::Maybe<int> interrupted;
  auto opening = open().fork();
  {
    KJ_ON_SCOPE_FAILURE(if (terminal.mayBeOpen()) noteLeftOver());
    co_await opening.addBranch().exclusiveJoin(
        context.signals.next().then([&interrupted](int number) { interrupted = number; }));
  }
  KJ_IF_MAYBE (number, interrupted) {
    co_await giveUp(opening.addBranch());
    co_return SIGNAL_BASE + *number;
  }
  {
    kj::Own<void> rawMode;
    if (interactive) {
      auto howToLeave = input.howToLeave();
      if (howToLeave.size() > 0) {
        context.console.progress(
            kj::str("\x1b[2m[", howToLeave, " leaves this terminal; it goes on",
                    target.viewOnly ? "; what is typed is dropped" : "", "]\x1b[0m\n"));
      }
      rawMode = context.terminal.enterRawMode();
    }
    auto showing = showOutput().eagerlyEvaluate(nullptr);
    auto others = kj::Vector<kj::Promise<void>>();
    others.add(readInput().eagerlyEvaluate(nullptr));
    others.add(followSize().eagerlyEvaluate(nullptr));
    others.add(followSignals().eagerlyEvaluate(nullptr));
    co_await whenEnded.addBranch().exclusiveJoin(follow());
    others.clear();
    writing = kj::READY_NOW;
    terminal.leave();
    output.finish();
    co_await showing.exclusiveJoin(context.timer.afterDelay(LAST_OUTPUT));
    if (interactive) context.console.progress(output.resetSequence());
  }
  co_return conclude();
}

kj::Promise<void> TerminalSession::giveUp(kj::Promise<void> opening) {
  if (!wasAskedFor) co_return;
  bool isClosed = false;
  auto closing = opening.then([this, &isClosed]() -> kj::Promise<void> {
    auto request = KJ_ASSERT_NONNULL(terminal.reached()).closeRequest();
    return request.send().then([&isClosed](auto&&) { isClosed = true; });
  });
  co_await closing.catch_([](kj::Exception&&) {})
      .exclusiveJoin(context.timer.afterDelay(LAST_OPENING));
  if (!isClosed && (terminal.mayBeOpen() || terminal.reached() != nullptr)) noteLeftOver();
}

void TerminalSession::noteLeftOver() {
  context.console.note(kj::str("a terminal that nobody looks at may be left in ", target.workspace,
                               ": `bothy shell ", target.workspace, " --list` lists it"));
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
      context.console.note(kj::str(reason, reason.size() > 0 ? ": " : "", "left terminal ",
                                   terminal.id(), ", it goes on: `bothy shell ", target.workspace,
                                   " --attach ", terminal.id(), "` comes back"));
      return detached.code;
    }
  }
  KJ_UNREACHABLE;
}

void TerminalSession::endBy(const kj::Exception& exception) {
  auto told = describe(exception);
  end(Detached{kj::str(told.message, ": left terminal ", terminal.id(), ", it goes on"),
               EXEC_FAILED});
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
  KJ_IF_MAYBE (id, target.attachTo) return openExisting(*id);
  return openNew();
}

kj::Promise<void> TerminalSession::openNew() {
  auto failed = co_await terminal.open([this](rpc::Terminals::OpenParams::Builder params) {
    wasAskedFor = true;
    target.command.fill(params.initCommand());
    bool toTerminal = setSize(params.initSize());
    params.setTerm(toTerminal ? context.terminalType : "dumb"_kj);
  });
  KJ_IF_MAYBE (why, failed) {
    KJ_IF_MAYBE (end, why->tryGet<KeptTerminal::End>()) {
      kj::throwFatalException(failure(describeEnd(*end), EXEC_FAILED));
    }
    auto outcome = why->get<AttachedTerminal::NotOpened>().getOutcome();
    if (outcome.isFailed()) kj::throwFatalException(describeFailure(outcome.getFailed()));
    kj::throwFatalException(newerSupervisor());
  }
}

kj::Promise<void> TerminalSession::openExisting(uint64_t id) {
  auto found = co_await terminal.openExisting(id);
  if (found == KeptTerminal::Found::AGENT_TOO_OLD) {
    kj::throwFatalException(failure(describeEnd(KeptTerminal::End::AGENT_TOO_OLD), EXEC_FAILED));
  }
  if (found == KeptTerminal::Found::ABSENT) {
    kj::throwFatalException(
        failure(kj::str("there is no terminal ", id, " in ", target.workspace, ": `bothy shell ",
                        target.workspace, " --list` lists them")));
  }
}

kj::Promise<void> TerminalSession::follow() {
  kj::Maybe<KeptTerminal::End> how;
  co_await terminal.follow().then([&how](KeptTerminal::End known) { how = known; },
                                  [this](kj::Exception&& exception) {
                                    auto told = describe(exception);
                                    end(Detached{kj::mv(told.message), EXEC_FAILED});
                                  });
  KJ_IF_MAYBE (known, how) {
    if (*known != KeptTerminal::End::EXITED) end(Detached{describeEnd(*known), EXEC_FAILED});
  }
  co_await whenEnded.addBranch();
}

// Of one that nobody saw.
kj::String TerminalSession::describeEnd(KeptTerminal::End how) {
  auto give = context.connector.usesSession() ? "the next start gives it another"_kj
                                              : "`bothy stop` and `bothy start` give it another"_kj;
  auto which = terminal.id() == 0 ? kj::str("the terminal") : kj::str("terminal ", terminal.id());
  if (how == KeptTerminal::End::STARTED_ANEW) {
    return kj::str(target.workspace, " was started anew: ", which, " ended with it");
  }
  if (how == KeptTerminal::End::IN_DOUBT) {
    return kj::str("the connection was lost while the terminal was opened, and the agent of ",
                   target.workspace, " is too old to be asked again: ", give);
  }
  if (how == KeptTerminal::End::AGENT_TOO_OLD) {
    return kj::str("the agent of ", target.workspace,
                   " is older than this bothy and its terminals cannot be typed at: ", give);
  }
  return kj::str(which, " ended while the connection was lost");
}

kj::Promise<void> TerminalSession::onOutput(const OutputCursor::Piece& piece) {
  return output.accept(piece);
}

kj::Promise<void> TerminalSession::onGap(uint64_t announced, uint64_t lost) {
  return output.skip(lost);
}

kj::Promise<void> TerminalSession::onRedraw(rpc::TerminalViewer::RedrawParams::Reader redraw) {
  return output.redraw(redraw.getData(), redraw.getIsLast());
}

void TerminalSession::onExited(rpc::ExitStatus::Reader status) {
  KJ_IF_MAYBE (text, describeOutOfMemory(status)) notice(*text);
  if (status.isLost()) {
    end(Detached{kj::str("the program ended, but how is not known"), EXEC_FAILED});
  } else {
    end(Exited{exitCodeOf(status)});
  }
}

void TerminalSession::fillSize(rpc::Terminal::OptionalSize::Builder size) {
  if (target.viewOnly || !setSize(size.initSize())) size.setUnchanged();
}

void TerminalSession::onAttached(rpc::Attachment::Client attached) {
  auto inDoubt = input.forgetUnanswered();
  if (!target.viewOnly)
    writing = input.sendTo(kj::mv(attached)).eagerlyEvaluate([](kj::Exception&& exception) {
      // The terminal is gone or ends: the viewer learns it too, and says how.
    });
  if (!wasLost) return;
  wasLost = false;
  lossNotice = nullptr;
  notice(inDoubt == 0 ? kj::str("connected again")
                      : kj::str("connected again; what was typed last (", formatBytes(inDoubt),
                                ") may be lost"));
}

void TerminalSession::onLost() {
  writing = kj::READY_NOW;
  wasLost = true;
  if (ending != nullptr) return;
  lossNotice = context.timer.afterDelay(LOSS_NOTICE_PAUSE)
                   .then([this]() { notice("the connection was lost, connecting again"); })
                   .eagerlyEvaluate(nullptr);
}

kj::Promise<void> TerminalSession::readInput() {
  kj::Maybe<kj::Exception> unreadable;
  auto how = co_await input.read().catch_([&](kj::Exception&& exception) {
    unreadable = kj::mv(exception);
    return TerminalInput::End::WHOLE;
  });
  KJ_IF_MAYBE (exception, unreadable) {
    // Input that broke off is not told as one that has ended.
    if (isInputClosed(*exception)) {
      input.finish();
    } else {
      endBy(*exception);
    }
    co_return;
  }
  switch (how) {
    case TerminalInput::End::LEFT:
      if (terminal.reached() != nullptr) {
        co_await input.whenTaken().exclusiveJoin(context.timer.afterDelay(LAST_INPUT));
      }
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
      endBy(exception);
    }
  });
}

kj::Promise<void> TerminalSession::followSize() {
  while (true) {
    co_await context.terminal.onResize();
    if (target.viewOnly) continue;
    auto attached = terminal.attached();
    KJ_IF_MAYBE (client, attached) {
      auto request = client->resizeRequest();
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
