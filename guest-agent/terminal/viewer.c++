#include "terminal/viewer.h"

#include "schema/limits.capnp.h"

namespace bothy {

namespace {

// Of output in one message: small enough that a slow line shows progress and that little is under way
// when the user interrupts a flood.
constexpr uint64_t OUTPUT_CHUNK_BYTES = 32 * 1024;
// Words of an `output` beside its data.
constexpr uint64_t REQUEST_WORDS = 16;

}  // namespace

Viewer::Viewer(kj::Timer& timer, kj::Own<Terminal> terminalParam, uint64_t position,
               kj::Maybe<WindowSize> size, rpc::TerminalViewer::Client client)
    : timer(timer),
      terminal(kj::mv(terminalParam)),
      position(position),
      client(kj::mv(client)),
      loop(nullptr) {
  terminal->add(*this, size);
  loop = run().eagerlyEvaluate(nullptr);
}

Viewer::~Viewer() noexcept(false) {
  detach();
}

void Viewer::detach() {
  if (!attached) return;
  attached = false;
  terminal->remove(*this);
}

void Viewer::wake() {
  KJ_IF_MAYBE (fulfiller, waiting) {
    (*fulfiller)->fulfill();
  }
}

void Viewer::resized(uint64_t sequence, WindowSize size) {
  KJ_IF_MAYBE (resize, pendingResize) {
    resize->size = size;
  } else {
    pendingResize = Resize{sequence, size};
  }
  wake();
}

kj::Promise<void> Viewer::run() {
  try {
    co_await timer.afterDelay(0 * kj::SECONDS);
    co_await deliver();
  } catch (const kj::Exception&) {
    // The viewer is gone or refuses.  It must not hold the program back, and whoever holds the
    // attachment has the same connection to notice by.
  }
  detach();
}

kj::Promise<void> Viewer::deliver() {
  for (;;) {
    auto& output = terminal->output();
    if (position < output.begin()) {
      auto request = client.gapRequest();
      request.setSequence(position);
      request.setLost(output.begin() - position);
      position = output.begin();
      co_await request.send();
      continue;
    }
    uint64_t end = output.end();
    KJ_IF_MAYBE (resize, pendingResize) {
      if (position >= resize->sequence) {
        auto request = client.resizedRequest();
        resize->size.writeTo(request.initSize());
        pendingResize = nullptr;
        co_await request.send();
        continue;
      }
      end = resize->sequence;
    }
    if (position < end) {
      co_await sendOutput(end);
    } else if (terminal->status() != nullptr) {
      terminal->tellEnd(client);
      co_return;
    } else {
      auto paf = kj::newPromiseAndFulfiller<void>();
      waiting = kj::mv(paf.fulfiller);
      co_await paf.promise;
    }
  }
}

kj::Promise<void> Viewer::sendOutput(uint64_t end) {
  auto size = kj::min(end - position, OUTPUT_CHUNK_BYTES);
  auto request =
      client.outputRequest(capnp::MessageSize{size / sizeof(capnp::word) + REQUEST_WORDS, 0});
  request.setSequence(position);
  terminal->output().copy(position, request.initData(static_cast<kj::uint>(size)));
  position += size;
  terminal->viewerMoved();
  return request.send();
}

}  // namespace bothy
