#include "terminal/test-viewer.h"

#include <kj/debug.h>
#include <string.h>

namespace bothy {

Seen::~Seen() {
  for (auto* viewer : viewers) viewer->isSeenGone = true;
}

kj::String Seen::text() const {
  return kj::heapString(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

bool Seen::has(kj::StringPtr part) const {
  return bytes.size() >= part.size() && part.size() > 0 &&
         memmem(bytes.begin(), bytes.size(), part.begin(), part.size()) != nullptr;
}

kj::Promise<void> Seen::until(kj::StringPtr part) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  awaitsRedraw = false;
  awaited = kj::str(part);
  fulfiller = kj::mv(paf.fulfiller);
  check();
  return kj::mv(paf.promise);
}

kj::Promise<void> Seen::untilRedraw() {
  auto result = until("\xff");
  awaitsRedraw = true;
  check();
  return result;
}

void Seen::check() {
  KJ_IF_MAYBE (f, fulfiller) {
    if (awaitsRedraw && redraws > 0) (*f)->fulfill();
    if (ended || (awaited.size() > 0 && has(awaited))) (*f)->fulfill();
  }
}

TestViewer::TestViewer(Seen& seen) : seen(seen) {
  seen.viewers.add(this);
}

TestViewer::~TestViewer() noexcept(false) {
  if (isSeenGone) return;
  kj::Vector<TestViewer*> others;
  for (auto* viewer : seen.viewers) {
    if (viewer != this) others.add(viewer);
  }
  seen.viewers = kj::mv(others);
}

TestViewer::DispatchCallResult TestViewer::dispatchCall(
    uint64_t interfaceId, uint16_t methodId,
    capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> context) {
  KJ_REQUIRE(!isSeenGone, "the test has ended this viewer");
  return rpc::TerminalViewer::Server::dispatchCall(interfaceId, methodId, context);
}

kj::Promise<void> TestViewer::output(OutputContext context) {
  auto params = context.getParams();
  if (seen.ended || !seen.isRedrawn ||
      (seen.bytes.size() + seen.lost + seen.redraws > 0 && params.getSequence() != seen.next)) {
    seen.inOrder = false;
  }
  seen.next = params.getSequence() + params.getData().size();
  seen.bytes.addAll(params.getData());
  seen.check();
  KJ_IF_MAYBE (gate, seen.gate) {
    return gate->addBranch();
  }
  return kj::READY_NOW;
}

kj::Promise<void> TestViewer::gap(GapContext context) {
  auto params = context.getParams();
  if (seen.bytes.size() + seen.lost > 0 && params.getSequence() != seen.next) {
    seen.inOrder = false;
  }
  seen.lost += params.getLost();
  seen.next = params.getSequence() + params.getLost();
  return kj::READY_NOW;
}

kj::Promise<void> TestViewer::redraw(RedrawContext context) {
  auto params = context.getParams();
  if (seen.isRedrawn) {
    seen.redraw = kj::Vector<kj::byte>();
    seen.bytes = kj::Vector<kj::byte>();
  }
  seen.redraw.addAll(params.getData());
  seen.redrawSize = WindowSize::read(params.getSize());
  seen.isRedrawn = params.getIsLast();
  seen.next = params.getSequence();
  if (seen.isRedrawn) ++seen.redraws;
  seen.check();
  KJ_IF_MAYBE (gate, seen.gate) {
    return gate->addBranch();
  }
  return kj::READY_NOW;
}

kj::Promise<void> TestViewer::resized(ResizedContext context) {
  seen.sizes.add(WindowSize::read(context.getParams().getSize()));
  seen.bytesBeforeResize = seen.bytes.size();
  return kj::READY_NOW;
}

kj::Promise<void> TestViewer::titled(TitledContext context) {
  if (seen.ended) seen.inOrder = false;
  seen.titles.add(kj::str(context.getParams().getTitle()));
  return kj::READY_NOW;
}

kj::Promise<void> TestViewer::moved(MovedContext context) {
  if (seen.ended) seen.inOrder = false;
  seen.directories.add(kj::str(context.getParams().getDirectory()));
  return kj::READY_NOW;
}

kj::Promise<void> TestViewer::rang(RangContext context) {
  if (seen.ended) seen.inOrder = false;
  ++seen.bells;
  return kj::READY_NOW;
}

kj::Promise<void> TestViewer::exited(ExitedContext context) {
  if (seen.ended) seen.inOrder = false;
  auto status = context.getParams().getStatus();
  if (status.isExited()) seen.exitCode = status.getExited();
  seen.ended = true;
  seen.check();
  return kj::READY_NOW;
}

}  // namespace bothy
