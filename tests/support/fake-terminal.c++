#include "support/fake-terminal.h"

namespace bothy {

void FakeTerminal::setSize(rpc::WindowSize::Reader given) {
  size = kj::str(given.getColumns(), "x", given.getRows());
}

class FakeTerminal::AttachmentServer final: public rpc::Attachment::Server {
public:
  AttachmentServer(FakeTerminal& terminal, uint64_t number) : terminal(terminal), number(number) {}
  ~AttachmentServer() noexcept(false) {
    kj::Vector<kj::Own<Viewer>> others;
    for (auto& viewer : terminal.viewers) {
      if (viewer->number != number) others.add(kj::mv(viewer));
    }
    terminal.viewers = kj::mv(others);
  }

  kj::Promise<void> write(WriteContext context) override {
    if (terminal.takesNothing) return kj::NEVER_DONE;
    terminal.input.addAll(context.getParams().getData());
    return kj::READY_NOW;
  }
  kj::Promise<void> resize(ResizeContext context) override {
    terminal.setSize(context.getParams().getSize());
    return kj::READY_NOW;
  }

private:
  FakeTerminal& terminal;
  uint64_t number;
};

class FakeTerminal::TerminalServer final: public rpc::Terminal::Server {
public:
  explicit TerminalServer(FakeTerminal& terminal) : terminal(terminal) {}

  kj::Promise<void> attach(AttachContext context) override {
    auto params = context.getParams();
    if (params.getSize().isSize()) terminal.setSize(params.getSize().getSize());
    auto from = params.getFrom();
    uint64_t next = from.isSequence()                 ? from.getSequence()
                    : from.isNow() || from.isScreen() ? terminal.output.size()
                                                      : terminal.oldest;
    auto viewer =
        kj::heap<Viewer>(Viewer{params.getOutput(), next, nullptr, ++terminal.viewerNumber,
                                from.isScreen(), params.getRedrawsGaps()});
    ++terminal.attachments;
    auto results = context.getResults();
    results.setNext(next);
    results.setAttachment(kj::heap<AttachmentServer>(terminal, viewer->number));
    viewer->showing = terminal.show(*viewer).eagerlyEvaluate(nullptr);
    terminal.viewers.add(kj::mv(viewer));
    return kj::READY_NOW;
  }
  kj::Promise<void> close(CloseContext context) override {
    ++terminal.closes;
    return kj::READY_NOW;
  }
  kj::Promise<void> info(InfoContext context) override {
    context.getResults().initInfo().setProduced(terminal.output.size());
    return kj::READY_NOW;
  }

private:
  FakeTerminal& terminal;
};

class FakeTerminal::TerminalsServer final: public rpc::Terminals::Server {
public:
  explicit TerminalsServer(FakeTerminal& terminal) : terminal(terminal) {}

  kj::Promise<void> open(OpenContext context) override {
    auto params = context.getParams();
    auto requestId = params.getRequestId();
    const bool isKnown = requestId.size() > 0 && requestId == terminal.requestId;
    if (isKnown && terminal.isAbsent) {
      context.getResults().initOutcome().setGone();
      return kj::READY_NOW;
    }
    if (!isKnown) {
      ++terminal.opens;
      terminal.requestId = kj::str(requestId);
    }
    auto size = params.getSize();
    terminal.command = kj::strArray(params.getCommand().getArgv(), " ");
    terminal.size = kj::str(size.getColumns(), "x", size.getRows());
    terminal.term = kj::str(params.getTerm());
    auto results = context.getResults();
    results.setTerminal(kj::heap<TerminalServer>(terminal));
    results.setId(ID);
    results.initOutcome().setOpened();
    if (terminal.neverOpens) return kj::NEVER_DONE;
    KJ_IF_MAYBE (held, terminal.opening) return kj::mv(*held);
    return kj::READY_NOW;
  }
  kj::Promise<void> list(ListContext context) override {
    auto info = context.getResults().initTerminals(1)[0];
    info.setId(ID);
    info.setTitle("evil\x1b[2Jtitle");
    info.setRunning(terminal.exitCode == nullptr);
    return kj::READY_NOW;
  }
  kj::Promise<void> get(GetContext context) override {
    auto results = context.getResults();
    if (context.getParams().getId() == ID && !terminal.isAbsent) {
      results.setTerminal(kj::heap<TerminalServer>(terminal));
      results.initOutcome().setFound();
    } else {
      results.initOutcome().setAbsent();
    }
    return kj::READY_NOW;
  }

private:
  FakeTerminal& terminal;
};

rpc::Terminals::Client FakeTerminal::serve() {
  return kj::heap<TerminalsServer>(*this);
}

void FakeTerminal::show() {
  for (auto& viewer : viewers) {
    // After what is on its way: a viewer gets the bytes in order.
    viewer->showing = viewer->showing.then([this, v = viewer.get()] { return show(*v); })
                          .eagerlyEvaluate(nullptr);
  }
}

kj::Promise<void> FakeTerminal::show(Viewer& viewer) {
  if (viewer.next < oldest) {
    viewer.needsRedraw = viewer.redrawsGaps;
    const uint64_t end = viewer.redrawsGaps ? output.size() : oldest;
    auto gap = viewer.client.gapRequest();
    gap.setSequence(viewer.next);
    gap.setLost(end - viewer.next);
    viewer.next = end;
    co_await gap.send();
  }
  if (viewer.needsRedraw) {
    viewer.needsRedraw = false;
    auto redraw = viewer.client.redrawRequest();
    redraw.setSequence(viewer.next);
    redraw.setData(screen.asBytes());
    redraw.setIsLast(true);
    co_await redraw.send();
  }
  if (viewer.next < output.size()) {
    auto request = viewer.client.outputRequest();
    request.setSequence(viewer.next);
    request.setData(output.asBytes().slice(viewer.next, output.size()));
    viewer.next = output.size();
    co_await request.send();
  }
  KJ_IF_MAYBE (code, exitCode) {
    auto request = viewer.client.exitedRequest();
    request.initStatus().setExited(static_cast<uint8_t>(*code));
    co_await request.send();
  }
}

}  // namespace bothy
