#include "client/attached-terminal.h"

#include <capnp/message.h>
#include <kj/debug.h>

#include "wire/stream-order.h"

namespace bothy {

class AttachedTerminal::Viewer final: public rpc::TerminalViewer::Server {
public:
  // `gone` is fulfilled when nobody can call it any more.
  Viewer(AttachedTerminal& terminal, kj::Own<kj::PromiseFulfiller<void>> gone)
      : terminal(terminal), gone(kj::mv(gone)) {}
  ~Viewer() noexcept(false) {
    KJ_IF_MAYBE (t, terminal) t->viewer = nullptr;
    gone->fulfill();
  }

  void detach() { terminal = nullptr; }

  kj::Promise<void> output(OutputContext context) override {
    auto& attached = requireAttached();
    order.begin();
    auto params = context.getParams();
    if (attached.cursor == nullptr) attached.cursor.emplace().startAt(params.getSequence());
    auto& cursor = KJ_ASSERT_NONNULL(attached.cursor);
    return order.endAfter(
        attached.listener.onOutput(cursor.accept(params.getSequence(), params.getData())));
  }
  kj::Promise<void> gap(GapContext context) override {
    auto& attached = requireAttached();
    order.begin();
    auto params = context.getParams();
    if (attached.cursor == nullptr) attached.cursor.emplace();
    auto& cursor = KJ_ASSERT_NONNULL(attached.cursor);
    auto unseen = cursor.skip(params.getSequence(), params.getLost());
    return order.endAfter(attached.listener.onGap(params.getLost(), unseen));
  }
  kj::Promise<void> redraw(RedrawContext context) override {
    auto& attached = requireAttached();
    order.begin();
    auto params = context.getParams();
    attached.cursor.emplace().startAt(params.getSequence());
    return order.endAfter(attached.listener.onRedraw(params));
  }
  kj::Promise<void> resized(ResizedContext context) override {
    requireAttached().listener.onResized(context.getParams().getSize());
    return kj::READY_NOW;
  }
  kj::Promise<void> titled(TitledContext context) override {
    requireAttached().listener.onTitled(context.getParams().getTitle());
    return kj::READY_NOW;
  }
  kj::Promise<void> moved(MovedContext context) override {
    requireAttached().listener.onMoved(context.getParams().getDirectory());
    return kj::READY_NOW;
  }
  kj::Promise<void> rang(RangContext context) override {
    requireAttached().listener.onRang();
    return kj::READY_NOW;
  }
  kj::Promise<void> exited(ExitedContext context) override {
    auto& attached = requireAttached();
    order.requireUnbroken();
    attached.exited = true;
    attached.listener.onExited(context.getParams().getStatus());
    // An agent keeps what it was given for as long as it is attached.
    gone->fulfill();
    return kj::READY_NOW;
  }

private:
  kj::Maybe<AttachedTerminal&> terminal;
  kj::Own<kj::PromiseFulfiller<void>> gone;
  StreamOrder order;

  AttachedTerminal& requireAttached() {
    KJ_IF_MAYBE (t, terminal) return *t;
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "nobody looks here any more"));
  }
};

AttachedTerminal::~AttachedTerminal() noexcept(false) {
  detach();
}

kj::Promise<kj::Maybe<AttachedTerminal::NotOpened>> AttachedTerminal::open(
    rpc::Terminals::Client terminals,
    kj::Function<void(rpc::Terminals::OpenParams::Builder)> fill) {
  auto request = terminals.openRequest();
  fill(request);
  // It is gone from the request once that is sent.
  capnp::MallocMessageBuilder kept;
  kept.setRoot(request.asReader().getSize());
  auto opening = request.send();
  if (cursor == nullptr) cursor.emplace();
  auto attaching = beginAttachment(opening.getTerminal(), [&](auto size) {
    size.setSize(kept.getRoot<rpc::WindowSize>().asReader());
  });

  auto opened = co_await opening;
  if (!opened.getOutcome().isOpened()) {
    detach();
    co_return kj::mv(opened);
  }
  number = opened.getId();
  terminal = opened.getTerminal();
  auto answer = co_await attaching;
  attachment = answer.getAttachment();
  co_return nullptr;
}

kj::Promise<bool> AttachedTerminal::find(rpc::Terminals::Client terminals, uint64_t id) {
  auto request = terminals.getRequest();
  request.setId(id);
  auto got = co_await request.send();
  if (!got.getOutcome().isFound()) co_return false;
  number = id;
  terminal = got.getTerminal();
  co_return true;
}

kj::Promise<void> AttachedTerminal::attach(
    kj::Function<void(rpc::Terminal::OptionalSize::Builder)> fillSize) {
  auto answer = co_await beginAttachment(client(), fillSize);
  attachment = answer.getAttachment();
}

capnp::RemotePromise<rpc::Terminal::AttachResults> AttachedTerminal::beginAttachment(
    rpc::Terminal::Client terminal,
    kj::FunctionParam<void(rpc::Terminal::OptionalSize::Builder)> fillSize) {
  detach();
  auto gone = kj::newPromiseAndFulfiller<void>();
  lost = gone.promise.fork();
  auto added = kj::heap<Viewer>(*this, kj::mv(gone.fulfiller));
  viewer = *added;
  auto request = terminal.attachRequest();
  auto from = request.initFrom();
  KJ_IF_MAYBE (place, cursor) {
    from.setSequence(place->position());
  } else if (past == Past::SCREEN) {
    from.setScreen();
  } else {
    from.setOldest();
  }
  request.setRedrawsGaps(past == Past::SCREEN);
  request.setOutput(kj::mv(added));
  fillSize(request.initSize());
  return request.send();
}

rpc::Terminal::Client AttachedTerminal::client() {
  return KJ_ASSERT_NONNULL(terminal);
}

rpc::Attachment::Client AttachedTerminal::attached() {
  return KJ_ASSERT_NONNULL(attachment);
}

void AttachedTerminal::detach() {
  KJ_IF_MAYBE (v, viewer) v->detach();
  viewer = nullptr;
  attachment = nullptr;
}

}  // namespace bothy
