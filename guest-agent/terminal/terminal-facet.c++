#include "terminal/terminal-facet.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "terminal/viewer.h"
#include "wire/stream-order.h"

namespace bothy {

namespace {

// What is typed, as opposed to pasted, in bytes; and so long its answer waits for the echo: both leave in one write then.
constexpr size_t MOST_TYPED_BYTES = 16;
constexpr kj::Duration ECHO_TIME = 3 * kj::MILLISECONDS;

class AttachmentFacet final: public TerminalServer<rpc::Attachment> {
public:
  AttachmentFacet(kj::Timer& timer, kj::Own<Terminal> terminal, TerminalRights rights,
                  kj::Own<ClientActions> actions, Viewer::Start start, kj::Maybe<WindowSize> size,
                  rpc::TerminalViewer::Client client)
      : TerminalServer(rights),
        timer(timer),
        actions(kj::mv(actions)),
        terminal(kj::mv(terminal)),
        viewer(timer, kj::addRef(*this->terminal), start, size, kj::mv(client)) {}

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    KJ_REQUIRE(data.size() <= rpc::MAX_CHUNK_BYTES, "chunk too large", data.size());
    input.begin();
    if (!hasTyped) actions->did("terminal typed into", ProgramKind::TERMINAL, terminal->id);
    hasTyped = true;
    terminal->noteTyping(viewer);
    auto writing = terminal->write(data);
    if (data.size() <= MOST_TYPED_BYTES) {
      writing = writing.then(
          [this]() { return terminal->onOutput().exclusiveJoin(timer.afterDelay(ECHO_TIME)); });
    }
    return input.endAfter(kj::mv(writing));
  }

  kj::Promise<void> resize(ResizeContext context) override {
    terminal->resize(viewer, WindowSize::read(context.getParams().getSize()));
    return kj::READY_NOW;
  }

private:
  kj::Timer& timer;
  kj::Own<ClientActions> actions;
  bool hasTyped = false;
  kj::Own<Terminal> terminal;
  Viewer viewer;
  StreamOrder input;
};

// Where to begin.  A sequence that the scrollback has lost is begun with a gap.
uint64_t firstSequence(rpc::Terminal::Position::Reader from, const OutputRing& output) {
  switch (from.which()) {
    case rpc::Terminal::Position::OLDEST:
      return output.begin();
    case rpc::Terminal::Position::SEQUENCE:
      KJ_REQUIRE(from.getSequence() <= output.end(), "not yet produced", output.end());
      return from.getSequence();
    case rpc::Terminal::Position::NOW:
      return output.end();
    case rpc::Terminal::Position::SCREEN:
      return 0;
  }
  KJ_FAIL_REQUIRE("unknown position");
}

class TerminalFacet final
    : public TerminalServer<rpc::Terminal, 0 /*attach*/, 4 /*wait*/, 6 /*info*/> {
public:
  TerminalFacet(kj::Timer& timer, kj::Own<Terminal> terminal, TerminalRights rights,
                kj::Own<ClientActions> actions)
      : TerminalServer(rights),
        timer(timer),
        terminal(kj::mv(terminal)),
        actions(kj::mv(actions)) {}

  kj::Promise<void> attach(AttachContext context) override {
    auto params = context.getParams();
    if (terminal->countViewers() >= rpc::MAX_VIEWERS) {
      kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "maxViewers"));
    }
    if (rights == TerminalRights::VIEW && terminal->countOnlookers() >= rpc::MAX_ONLOOKERS) {
      kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "maxOnlookers"));
    }
    auto from = params.getFrom();
    Viewer::Start start{.position = firstSequence(from, terminal->output()),
                        .withRedraw = from.isScreen(),
                        .redrawsGaps = params.getRedrawsGaps(),
                        .setsPace = rights == TerminalRights::ALL};
    kj::Maybe<WindowSize> size;
    if (params.getSize().isSize()) {
      requireAll(rights);
      size = WindowSize::read(params.getSize().getSize());
    }
    auto results = context.initResults();
    if (!start.withRedraw) {
      results.setNext(kj::max(start.position, terminal->output().begin()));
    }
    results.setAttachment(kj::heap<AttachmentFacet>(
        timer, kj::addRef(*terminal), rights, actions->addRef(), start, size, params.getOutput()));
    note(rights == TerminalRights::ALL ? "terminal attached"_kj : "terminal looked at"_kj);
    return kj::READY_NOW;
  }

  kj::Promise<void> signal(SignalContext context) override {
    int number = context.getParams().getNumber();
    KJ_REQUIRE(1 <= number && number <= 64, "no such signal", number);
    note("terminal signalled");
    context.initResults().setDelivered(terminal->signal(number));
    return kj::READY_NOW;
  }

  kj::Promise<void> wait(WaitContext context) override {
    auto status = co_await terminal->onEnd();
    status.writeTo(context.initResults().initStatus());
  }

  kj::Promise<void> close(CloseContext context) override {
    note("terminal closed");
    return terminal->close();
  }

  kj::Promise<void> info(InfoContext context) override {
    writeInfo(*terminal, context.initResults().initInfo());
    return kj::READY_NOW;
  }

private:
  kj::Timer& timer;
  kj::Own<Terminal> terminal;
  kj::Own<ClientActions> actions;

  void note(kj::StringPtr what) { actions->did(what, ProgramKind::TERMINAL, terminal->id); }
};

}  // namespace

void requireAll(TerminalRights rights) {
  KJ_REQUIRE(rights == TerminalRights::ALL, "terminals may only be looked at here");
}

void writeInfo(const Terminal& terminal, rpc::TerminalInfo::Builder builder) {
  builder.setId(terminal.id);
  builder.setTitle(terminal.title);
  terminal.size().writeTo(builder.initSize());
  builder.setViewers(terminal.countViewers());
  builder.setRunning(terminal.status() == nullptr);
  builder.setPid(terminal.pid());
  builder.setProduced(terminal.output().end());
  builder.setShownTitle(terminal.screenState().title);
  builder.setDirectory(terminal.screenState().directory);
}

rpc::Terminal::Client newTerminalFacet(kj::Timer& timer, kj::Own<Terminal> terminal,
                                       TerminalRights rights, kj::Own<ClientActions> actions) {
  return kj::heap<TerminalFacet>(timer, kj::mv(terminal), rights, kj::mv(actions));
}

}  // namespace bothy
