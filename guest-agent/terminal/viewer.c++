#include "terminal/viewer.h"

#include "schema/limits.capnp.h"

namespace bothy {

namespace {

// Of output in one message: small enough that a slow line shows progress and that little is under way
// when the user interrupts a flood.
constexpr size_t OUTPUT_CHUNK_BYTES = 32 * 1024;
// Words of an `output` beside its data.
constexpr uint64_t REQUEST_WORDS = 20;

}  // namespace

Viewer::Viewer(kj::Timer& timer, kj::Own<Terminal> terminalParam, Start start,
               kj::Maybe<WindowSize> size, rpc::TerminalViewer::Client client)
    : setsPace(start.setsPace),
      timer(timer),
      terminal(kj::mv(terminalParam)),
      reader(start.withRedraw ? terminal->output().end() : start.position),
      needsRedraw(start.withRedraw),
      redrawsGaps(start.redrawsGaps || start.withRedraw),
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
  waiting.wakeAll();
}

void Viewer::resized(uint64_t sequence, WindowSize size) {
  KJ_IF_MAYBE (resize, pendingResize) {
    resize->size = size;
  } else {
    pendingResize = Resize{sequence, size};
  }
  wake();
}

void Viewer::tell(TerminalScreen::News news) {
  untold.title |= news.title;
  untold.bell |= news.bell;
  untold.directory |= news.directory;
  if (isTelling) return;
  isTelling = true;
  telling = tellUntold().eagerlyEvaluate(nullptr);
}

// Beside the output, which waits for none of it.
kj::Promise<void> Viewer::tellUntold() {
  for (;;) {
    auto telling = tellNext();
    KJ_IF_MAYBE (heard, telling) {
      co_await *heard;
    } else {
      break;
    }
  }
  isTelling = false;
}

kj::Maybe<kj::Promise<void>> Viewer::tellNext() {
  // A viewer need not know these, and one that is gone is noticed by the output.
  auto heard = [](kj::Promise<void> telling) { return telling.catch_([](kj::Exception&&) {}); };
  auto& screen = terminal->screenState();
  if (untold.title) {
    untold.title = false;
    auto request = client.titledRequest();
    request.setTitle(screen.title);
    return heard(request.send().ignoreResult());
  }
  if (untold.directory) {
    untold.directory = false;
    auto request = client.movedRequest();
    request.setDirectory(screen.directory);
    return heard(request.send().ignoreResult());
  }
  if (untold.bell) {
    untold.bell = false;
    return heard(client.rangRequest().send().ignoreResult());
  }
  return nullptr;
}

// Nothing comes behind the end, and before it whatever was not yet told: who is slow to answer misses nothing.
void Viewer::tellRest() {
  isTelling = true;
  telling = kj::READY_NOW;
  for (auto told = tellNext(); told != nullptr; told = tellNext()) {
    terminal->runInBackground(kj::mv(KJ_ASSERT_NONNULL(told)));
  }
  terminal->sendEnd(client);
}

kj::Promise<void> Viewer::run() {
  try {
    co_await timer.afterDelay(0 * kj::SECONDS);
    isTelling = false;
    tell({.title = terminal->screenState().title.size() > 0,
          .directory = terminal->screenState().directory.size() > 0});
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
    const bool hasLost = reader.hasLost(output);
    if (needsRedraw || (hasLost && redrawsGaps)) {
      co_await sendRedraw();
      continue;
    }
    if (hasLost) {
      co_await sendGap(output.begin());
      continue;
    }
    uint64_t end = output.end();
    KJ_IF_MAYBE (resize, pendingResize) {
      if (reader.position() >= resize->sequence) {
        auto request = client.resizedRequest();
        resize->size.writeTo(request.initSize());
        pendingResize = nullptr;
        co_await request.send();
        continue;
      }
      end = resize->sequence;
    }
    if (reader.position() < end) {
      co_await sendOutput(end);
    } else if (terminal->status() != nullptr) {
      tellRest();
      co_return;
    } else {
      co_await waiting.wait();
    }
  }
}

kj::Promise<void> Viewer::sendGap(uint64_t sequence) {
  auto request = client.gapRequest();
  request.setSequence(reader.position());
  request.setLost(reader.skipTo(sequence));
  terminal->viewerMoved();
  return request.send().ignoreResult();
}

kj::Promise<void> Viewer::sendRedraw() {
  co_await terminal->mayShow();
  // Made now, and sent as fast as the viewer takes it: meanwhile the program goes on as far as the scrollback allows.
  auto shown = terminal->shown();
  const auto sequence = shown.sequence;
  const auto size = terminal->size();
  // It shows the size that is in force, so a change of it before needs no word.
  pendingResize = nullptr;
  if (!needsRedraw && sequence > reader.position()) co_await sendGap(sequence);
  needsRedraw = false;
  reader = OutputReader(sequence);
  terminal->viewerMoved();
  for (auto left = shown.redraw->bytes.asPtr(); left.size() > 0;) {
    auto piece = left.slice(0, kj::min(left.size(), OUTPUT_CHUNK_BYTES));
    left = left.slice(piece.size(), left.size());
    auto request = client.redrawRequest(
        capnp::MessageSize{piece.size() / sizeof(capnp::word) + REQUEST_WORDS, 0});
    request.setSequence(sequence);
    size.writeTo(request.initSize());
    request.setData(piece);
    request.setIsLast(left.size() == 0);
    co_await request.send();
  }
}

kj::Promise<void> Viewer::sendOutput(uint64_t end) {
  auto& output = terminal->output();
  const auto size = reader.ready(output, kj::min(end - reader.position(), OUTPUT_CHUNK_BYTES));
  auto request =
      client.outputRequest(capnp::MessageSize{size / sizeof(capnp::word) + REQUEST_WORDS, 0});
  request.setSequence(reader.position());
  reader.read(output, request.initData(static_cast<kj::uint>(size)));
  terminal->viewerMoved();
  return request.send();
}

}  // namespace bothy
