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

class AttachmentFacet final: public rpc::Attachment::Server {
public:
  AttachmentFacet(kj::Timer& timer, kj::Own<Terminal> terminal, kj::Own<WantedSize> size,
                  uint64_t position, rpc::TerminalViewer::Client client)
      : viewer(timer, kj::mv(terminal), kj::mv(size), position, kj::mv(client)) {}

private:
  Viewer viewer;
};

// Where to begin.  A sequence that the scrollback has lost is begun with a gap.
uint64_t firstSequence(rpc::Terminal::Position::Reader from, const Scrollback& output) {
  switch (from.which()) {
    case rpc::Terminal::Position::OLDEST:
      return output.begin();
    case rpc::Terminal::Position::SEQUENCE:
      KJ_REQUIRE(from.getSequence() <= output.end(), "not yet produced", output.end());
      return from.getSequence();
    case rpc::Terminal::Position::NOW:
      return output.end();
  }
  KJ_FAIL_REQUIRE("unknown position");
}

class TerminalFacet final: public rpc::Terminal::Server {
public:
  TerminalFacet(kj::Timer& timer, kj::Own<Terminal> terminal, kj::Own<WantedSize> size)
      : timer(timer), terminal(kj::mv(terminal)), size(kj::mv(size)) {}

  kj::Promise<void> attach(AttachContext context) override {
    auto params = context.getParams();
    if (terminal->countViewers() >= rpc::MAX_VIEWERS) {
      kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "maxViewers"));
    }
    uint64_t position = firstSequence(params.getFrom(), terminal->output());
    if (params.getSize().isSize()) {
      terminal->resize(*size, WindowSize::read(params.getSize().getSize()));
    }
    auto results = context.initResults();
    results.setNext(kj::max(position, terminal->output().begin()));
    results.setAttachment(kj::heap<AttachmentFacet>(timer, kj::addRef(*terminal), kj::addRef(*size),
                                                    position, params.getOutput()));
    return kj::READY_NOW;
  }

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    KJ_REQUIRE(data.size() <= rpc::MAX_CHUNK_BYTES, "chunk too large", data.size());
    input.begin();
    auto writing = terminal->write(data);
    if (data.size() <= MOST_TYPED_BYTES) {
      writing = writing.then(
          [this]() { return terminal->onOutput().exclusiveJoin(timer.afterDelay(ECHO_TIME)); });
    }
    return input.endAfter(kj::mv(writing));
  }

  kj::Promise<void> resize(ResizeContext context) override {
    terminal->resize(*size, WindowSize::read(context.getParams().getSize()));
    return kj::READY_NOW;
  }

  kj::Promise<void> signal(SignalContext context) override {
    int number = context.getParams().getNumber();
    KJ_REQUIRE(1 <= number && number <= 64, "no such signal", number);
    context.initResults().setDelivered(terminal->signal(number));
    return kj::READY_NOW;
  }

  kj::Promise<void> wait(WaitContext context) override {
    auto status = co_await terminal->onEnd();
    status.writeTo(context.initResults().initStatus());
    terminal->told();
  }

  kj::Promise<void> close(CloseContext context) override { return terminal->close(); }

  kj::Promise<void> info(InfoContext context) override {
    writeInfo(*terminal, context.initResults().initInfo());
    return kj::READY_NOW;
  }

private:
  kj::Timer& timer;
  kj::Own<Terminal> terminal;
  kj::Own<WantedSize> size;
  StreamOrder input;
};

}  // namespace

void writeInfo(const Terminal& terminal, rpc::TerminalInfo::Builder builder) {
  builder.setId(terminal.id);
  builder.setTitle(terminal.title);
  terminal.size().writeTo(builder.initSize());
  builder.setViewers(terminal.countViewers());
  builder.setRunning(terminal.status() == nullptr);
  builder.setPid(terminal.pid());
  builder.setProduced(terminal.output().end());
}

rpc::Terminal::Client newTerminalFacet(kj::Timer& timer, kj::Own<Terminal> terminal,
                                       kj::Maybe<WindowSize> openedWith) {
  auto size = kj::refcounted<WantedSize>();
  KJ_IF_MAYBE (opened, openedWith) terminal->noteSize(*size, *opened);
  return kj::heap<TerminalFacet>(timer, kj::mv(terminal), kj::mv(size));
}

}  // namespace bothy
