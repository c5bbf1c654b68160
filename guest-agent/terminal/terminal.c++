#include "terminal/terminal.h"

#include <string.h>

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "terminal/viewer.h"

namespace bothy {

namespace {

// Read from one terminal before others and their input get their turn.
constexpr size_t TURN_BYTES = 64 * 1024;

// What the kernel gives in one call, and so what room is made for before it is known that so much comes.
constexpr size_t READ_BYTES = 4 * 1024;

// How far the program may be ahead of the fastest viewer.
constexpr uint64_t AHEAD_BYTES = 64 * 1024;

// More than the kernel keeps between the two sides of a PTY (8 KiB in its buffer, 4 KiB in the line
// discipline): what an ended program has left there is less.
constexpr size_t LEFT_OVER_BYTES = 64 * 1024;

kj::String homeMissingLine(const MissingHome& home) {
  return kj::str(home.path, ": ", strerror(home.errorNumber), ": running in / with HOME=/\r\n");
}

constexpr kj::StringPtr RESERVE_LINE =
    "bothy: programs have used up the processes or the memory of this machine; this terminal has a "
    "small reserve, "
    "to find and end them\r\n"_kj;

constexpr OutputRing::Sizes SCROLLBACK_SIZES = {LEAST_SCROLLBACK_BYTES, rpc::SCROLLBACK_BYTES};

}  // namespace

Terminal::Terminal(Programs& programs, Owner& owner, kj::Own<UnwatchedPace> pace, uint64_t id,
                   kj::String title, WindowSize size, kj::Own<Pty> pty, kj::Own<ChildProcess> child)
    : id(id),
      title(kj::mv(title)),
      programs(programs),
      owner(owner),
      pace(kj::mv(pace)),
      windowSize(size),
      pty(kj::mv(pty)),
      child(kj::mv(child)),
      scrollback(programs.outputs, SCROLLBACK_SIZES),
      screen(programs.outputs, size),
      ended(nullptr) {
  // As login(1) says it, before the program writes anything.
  KJ_IF_MAYBE (home, this->child->missingHome()) {
    auto line = homeMissingLine(*home);
    scrollback.append(line.asBytes());
    screen.feed(line.asBytes());
  }
  if (this->child->isInReserve()) {
    scrollback.append(RESERVE_LINE.asBytes());
    screen.feed(RESERVE_LINE.asBytes());
  }
  ended = run().eagerlyEvaluate(nullptr).fork();
}

Terminal::~Terminal() noexcept(false) {
  KJ_IF_MAYBE (listener, owner) {
    listener->gone(*this);
  }
}

kj::Maybe<Viewer&> Terminal::decider() {
  kj::Maybe<Viewer&> last;
  uint64_t turn = 0;
  for (auto viewer : viewers) {
    if (viewer->wanted.turn <= turn) continue;
    turn = viewer->wanted.turn;
    last = *viewer;
  }
  return last;
}

void Terminal::resize(Viewer& viewer, WindowSize size) {
  // Who tells one for the first time has just come.
  if (viewer.wanted.turn == 0) viewer.wanted.turn = ++sizeTurns;
  viewer.wanted.size = size;
  KJ_IF_MAYBE (deciding, decider()) {
    if (deciding == &viewer) applySize(size);
  }
}

void Terminal::noteTyping(Viewer& viewer) {
  if (viewer.wanted.turn == 0) return;
  KJ_IF_MAYBE (deciding, decider()) {
    if (deciding == &viewer) return;
  }
  viewer.wanted.turn = ++sizeTurns;
  applySize(viewer.wanted.size);
}

void Terminal::applySize(WindowSize size) {
  // Asked of the kernel each time: the program may have set another size, which nobody told us.
  KJ_IF_MAYBE (open, pty) {
    (*open)->resize(size);
  }
  if (size == windowSize) return;
  windowSize = size;
  screen.resize(size);
  KJ_IF_MAYBE (last, lastShown) last->isOfThisSize = false;
  for (auto viewer : viewers) viewer->resized(scrollback.end(), size);
}

bool Terminal::signal(int number) {
  KJ_IF_MAYBE (open, pty) {
    return (*open)->signal(number);
  }
  return false;
}

kj::Promise<void> Terminal::write(kj::ArrayPtr<const kj::byte> data) {
  bool isNoted = false;
  auto turn = co_await inputTurns->take();
  while (data.size() > 0) {
    // Asked each time: the program may end while its queue is full.
    KJ_IF_MAYBE (open, pty) {
      KJ_IF_MAYBE (taken, (*open)->write(data)) {
        data = data.slice(*taken, data.size());
        if (*taken > 0 && !isNoted) {
          isNoted = true;
          KJ_IF_MAYBE (listener, programs.listener) listener->inputCame();
        }
        if (data.size() > 0) {
          // Fails if the PTY goes meanwhile: the program has ended.
          co_await (*open)->onWritable().catch_([](kj::Exception&&) {});
        }
        continue;
      }
    }
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "nobody reads this terminal any more"));
  }
}

kj::Promise<void> Terminal::close() {
  auto closing = child->end()
                     .then([self = kj::addRef(*this)]() mutable {
                       KJ_IF_MAYBE (listener, self->owner) {
                         listener->closed(*self);
                       }
                     })
                     .fork();
  programs.runInBackground(closing.addBranch());
  return closing.addBranch();
}

void Terminal::release() {
  lastShown = nullptr;
  scrollback.drop();
  screen.drop();
  child->releaseTree();
}

void Terminal::sendEnd(rpc::TerminalViewer::Client viewer) {
  auto request = viewer.exitedRequest();
  KJ_ASSERT_NONNULL(endStatus).writeTo(request.initStatus());
  programs.runInBackground(request.send().ignoreResult().catch_([](kj::Exception&&) {}));
}

void Terminal::add(Viewer& viewer, kj::Maybe<WindowSize> size) {
  KJ_IF_MAYBE (wanted, size) {
    viewer.wanted = {*wanted, ++sizeTurns};
    applySize(*wanted);
  }
  viewers.add(&viewer);
  scrollback.setWatched(isWatched());
  // From now on it sets the pace.
  viewerMoved();
}

void Terminal::remove(Viewer& viewer) {
  auto before = decider();
  for (auto& entry : viewers) {
    if (entry != &viewer) continue;
    entry = viewers.back();
    viewers.removeLast();
    break;
  }
  scrollback.setWatched(isWatched());
  viewerMoved();
  KJ_IF_MAYBE (gone, before) {
    // With nobody left who wants a size the terminal keeps the one that it has.
    KJ_IF_MAYBE (next, decider()) {
      if (gone == &viewer) applySize(next->wanted.size);
    }
  }
  if (!viewers.empty()) return;
  KJ_IF_MAYBE (listener, owner) {
    listener->unwatched(*this);
  }
}

void Terminal::viewerMoved() {
  heldBack.wakeAll();
}

uint Terminal::countOnlookers() const {
  uint result = 0;
  for (auto viewer : viewers) result += viewer->setsPace ? 0 : 1;
  return result;
}

uint64_t Terminal::fastestViewer() const {
  uint64_t fastest = 0;
  for (auto viewer : viewers) {
    if (viewer->setsPace) fastest = kj::max(fastest, viewer->nextSequence());
  }
  return fastest;
}

size_t Terminal::makeRoomFor(size_t wanted, uint64_t turnBegan) {
  return scrollback.makeRoomAfter(isWatched() ? fastestViewer() : turnBegan, wanted);
}

bool Terminal::mustHoldBack(bool hasEnded) {
  if (!isWatched()) return !hasEnded && !pace->isAllowed();
  // An ended program has little left: it is read as long as that costs a single viewer no gap.
  if (!hasEnded && scrollback.end() - fastestViewer() >= AHEAD_BYTES) return true;
  return makeRoomFor(1, scrollback.end()) == 0;
}

kj::Promise<ExitStatus> Terminal::run() {
  co_await readOutput();
  auto status = co_await child->onExit();
  endStatus = status;
  pty = nullptr;
  // It stays for a while, and needs no control group for that: of the reserve there are few.
  child->releaseTree();
  wakeViewers();
  KJ_IF_MAYBE (listener, owner) {
    listener->completed(*this);
  }
  co_return status;
}

// Reads until the program has ended and what it left in the PTY is read: nothing of it is lost, and a
// background process that still has the other side delays nothing.
kj::Promise<void> Terminal::readOutput() {
  auto& open = *KJ_ASSERT_NONNULL(pty);
  size_t leftOver = LEFT_OVER_BYTES;
  for (;;) {
    bool hasEnded = !child->isRunning();  // before reading: then all it wrote is there
    if (mustHoldBack(hasEnded)) {
      co_await untilItMayGoOn(hasEnded);
      continue;
    }
    auto result = readTurn(hasEnded ? leftOver : TURN_BYTES);
    if (!isWatched()) pace->note(result.size);
    tellNews();
    if (result.size > 0) wakeViewers();
    if (hasEnded) {
      leftOver -= result.size;
      const bool isAllShown = screen.leftToDo() == 0;
      if (result.state != Pty::ReadState::DATA || (leftOver == 0 && isAllShown)) co_return;
    }
    if (result.state == Pty::ReadState::DATA) {
      // Has the event loop look at every other fd, and collects more for one message meanwhile.
      co_await programs.timer.afterDelay(0 * kj::SECONDS);
    } else {
      co_await open.onReadable().exclusiveJoin(child->onExit().ignoreResult());
    }
  }
}

kj::Promise<void> Terminal::untilItMayGoOn(bool hasEnded) {
  auto goesOn = heldBack.wait();
  if (!isWatched()) goesOn = goesOn.exclusiveJoin(pace->whenAllowed());
  // Its end is told also to who watches a terminal that a viewer holds back.
  if (!hasEnded) goesOn = goesOn.exclusiveJoin(child->onExit().ignoreResult());
  return goesOn;
}

// Reads at most about `limit` bytes; `state` is DATA if there may be more, `size` what came.
Pty::ReadResult Terminal::readTurn(size_t limit) {
  auto& open = *KJ_ASSERT_NONNULL(pty);
  kj::byte buffer[TURN_BYTES];
  size_t total = 0;
  // What is left of the turn before comes first.
  if (!screen.goOn()) return {Pty::ReadState::DATA, total};
  auto state = Pty::ReadState::DATA;
  limit = kj::min(limit, sizeof(buffer));
  const auto turnBegan = scrollback.end();
  while (total < limit && state == Pty::ReadState::DATA) {
    const auto room = makeRoomFor(kj::min(limit - total, READ_BYTES), turnBegan);
    if (room == 0) break;
    auto piece = kj::arrayPtr(buffer + total, room);
    auto result = open.read(piece);
    state = result.state;
    total += result.size;
    scrollback.append(piece.slice(0, result.size));
  }
  if (!screen.feed(kj::arrayPtr(buffer, total))) state = Pty::ReadState::DATA;
  return {state, total};
}

kj::Maybe<Terminal::Shown&> Terminal::stillShown() {
  KJ_IF_MAYBE (last, lastShown) {
    if (last->isOfThisSize && last->shown.sequence >= scrollback.begin()) return last->shown;
  }
  return nullptr;
}

kj::Promise<void> Terminal::mayShow() {
  // Another may have been made, or the size changed, while somebody waited.
  while (stillShown() == nullptr) {
    KJ_IF_MAYBE (last, lastShown) {
      co_await programs.timer.atTime(last->until);
    } else if (!canShow()) {
      // The scrollback gave way meanwhile.  The program may be held back, and with it the turns that would do this.
      screen.goOn();
      tellNews();
      co_await programs.timer.afterDelay(0 * kj::SECONDS);
    } else {
      co_return;
    }
  }
}

bool Terminal::canShow() const {
  return screen.leftToDo() <= scrollback.end() - scrollback.begin();
}

Terminal::Shown Terminal::shown() {
  KJ_IF_MAYBE (last, stillShown()) return {kj::addRef(*last->redraw), last->sequence};
  auto redraw = screen.snapshot(scrollback);
  const auto sequence = scrollback.end() - redraw->bytesAfter;
  const auto until = programs.timer.now() + REDRAW_PAUSE;
  lastShown = LastShown{{kj::addRef(*redraw), sequence}, until};
  forgettingShown =
      programs.timer.atTime(until).then([this]() { lastShown = nullptr; }).eagerlyEvaluate(nullptr);
  return {kj::mv(redraw), sequence};
}

void Terminal::tellNews() {
  auto news = screen.takeNews();
  if (!news.title && !news.bell && !news.directory) return;
  for (auto viewer : viewers) viewer->tell(news);
}

void Terminal::wakeViewers() {
  for (auto viewer : viewers) viewer->wake();
  nextOutput.wakeAll();
}

}  // namespace bothy
