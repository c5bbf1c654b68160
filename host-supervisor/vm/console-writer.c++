#include "vm/console-writer.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Between two lines of the log about consoles that a slow disk holds up.
constexpr kj::Duration LOG_PAUSE = 10 * kj::SECONDS;

}  // namespace

ConsoleWriter::ConsoleWriter(const kj::MonotonicClock& clock)
    : shared(kj::atomicRefcounted<Shared>()), pace(clock, LOG_PAUSE) {
  thread = kj::heap<kj::Thread>([shared = kj::atomicAddRef(*shared)]() { serve(*shared); });
}

ConsoleWriter::~ConsoleWriter() noexcept(false) {
  bool hangs;
  {
    auto state = shared->state.lockExclusive();
    state->isEnding = true;
    state.wait([](const State& state) { return state.turns.empty() && !state.isWriting; },
               END_LIMIT);
    hangs = state->isWriting;
    state->turns.clear();
  }
  if (hangs) {
    KJ_LOG(WARNING, "the end of consoles is not recorded: the host's disk is slow");
    thread->detach();
  }
}

void ConsoleWriter::State::giveTurn(uint64_t id, Console& console) {
  if (console.hasTurn || !console.isOpen) return;
  console.hasTurn = true;
  turns.push_back(id);
}

// What came last is what people look for.
void ConsoleWriter::Console::collect(kj::ArrayPtr<const kj::byte> added) {
  while (added.size() > 0) {
    if (pieces.empty() || pieces.back().size() == CONSOLE_PIECE_BYTES) pieces.emplace_back();
    auto& piece = pieces.back();
    auto part = added.slice(0, kj::min(added.size(), CONSOLE_PIECE_BYTES - piece.size()));
    piece.addAll(part);
    bytes += part.size();
    added = added.slice(part.size(), added.size());
    if (bytes > CONSOLE_BUFFER_BYTES) loseOldest(pieces.front().size());
  }
}

void ConsoleWriter::Console::loseOldest(size_t count) {
  bytes -= count;
  lost += count;
  while (count > 0) {
    auto& oldest = pieces.front();
    if (count < oldest.size()) {
      // In room of its own size: what is bounded is memory.
      kj::Vector<kj::byte> rest(oldest.size() - count);
      rest.addAll(oldest.asPtr().slice(count, oldest.size()));
      oldest = kj::mv(rest);
      return;
    }
    count -= oldest.size();
    pieces.pop_front();
  }
}

kj::Vector<kj::String> ConsoleWriter::State::collect(uint64_t id, Console& console,
                                                     kj::ArrayPtr<const kj::byte> added) {
  kj::Vector<kj::String> losers;
  const bool wasWhole = console.lost == 0;
  console.collect(added);
  count(id, console);
  if (wasWhole && console.lost > 0) losers.add(kj::str(console.name));
  if (bytes > CONSOLE_BUFFERS_BYTES) {
    // It has no less than this one, and so all that is too much.
    const auto longest = byLength.rbegin()->second;
    auto& loser = find(longest);
    if (loser.lost == 0) losers.add(kj::str(loser.name));
    loser.loseOldest(bytes - CONSOLE_BUFFERS_BYTES);
    count(longest, loser);
  }
  return losers;
}

void ConsoleWriter::State::count(uint64_t id, Console& console) {
  if (console.counted == console.bytes) return;
  if (console.counted > 0) byLength.erase({console.counted, id});
  if (console.bytes > 0) byLength.insert({console.bytes, id});
  bytes = bytes - console.counted + console.bytes;
  console.counted = console.bytes;
}

void ConsoleWriter::Console::fail(const kj::Exception& exception) {
  failure = kj::cp(exception);
  pieces.clear();
  bytes = lost = 0;
}

uint64_t ConsoleWriter::add(kj::StringPtr name) {
  auto console = kj::heap<Console>();
  console->name = kj::str(name);
  auto state = shared->state.lockExclusive();
  const auto id = state->next++;
  state->consoles.insert(id, kj::mv(console));
  return id;
}

void ConsoleWriter::open(uint64_t id, kj::Own<ConsoleFile> file) {
  auto state = shared->state.lockExclusive();
  auto& console = state->find(id);
  console.file = kj::mv(file);
  console.isOpen = true;
  if (!console.isWritten()) state->giveTurn(id, console);
}

void ConsoleWriter::fail(uint64_t id, const kj::Exception& exception) {
  auto state = shared->state.lockExclusive();
  auto& console = state->find(id);
  console.fail(exception);
  state->count(id, console);
  for (auto& fulfiller : console.waiting) fulfiller->reject(kj::cp(exception));
  console.waiting.clear();
}

void ConsoleWriter::append(uint64_t id, kj::ArrayPtr<const kj::byte> bytes) {
  kj::Vector<kj::String> losers;
  {
    auto state = shared->state.lockExclusive();
    auto& console = state->find(id);
    KJ_IF_MAYBE (e, console.failure) kj::throwFatalException(kj::cp(*e));
    losers = state->collect(id, console, bytes);
    if (!console.isWritten()) state->giveTurn(id, console);
  }
  for (auto& path : losers) {
    KJ_IF_MAYBE (count, pace.next()) {
      const auto others = *count;  // since the line before
      KJ_LOG(WARNING, "the host's disk is slow: a console is not recorded", path, others);
    }
  }
}

kj::Promise<void> ConsoleWriter::whenWritten(uint64_t id) {
  auto state = shared->state.lockExclusive();
  return whenWritten(state->find(id));
}

kj::Promise<void> ConsoleWriter::whenAllWritten() {
  kj::Vector<kj::Promise<void>> each;
  {
    auto state = shared->state.lockExclusive();
    for (auto& entry : state->consoles) {
      each.add(whenWritten(*entry.value).catch_([](kj::Exception&&) {}));
    }
  }
  return kj::joinPromises(each.releaseAsArray());
}

kj::Promise<void> ConsoleWriter::whenWritten(Console& console) {
  KJ_IF_MAYBE (e, console.failure) return kj::cp(*e);
  if (!console.hasTurn && console.isWritten()) return kj::READY_NOW;
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  console.waiting.add(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void ConsoleWriter::remove(uint64_t id) {
  auto state = shared->state.lockExclusive();
  auto& console = state->find(id);
  console.isRemoved = true;
  if (!console.isOpen) {
    console.loseOldest(console.bytes);
    state->count(id, console);
    state->consoles.erase(id);
    return;
  }
  // A file that the disk holds up is closed by the thread, too.
  state->giveTurn(id, console);
}

ConsoleWriter::Turn ConsoleWriter::begin(State& state) {
  Turn turn;
  turn.id = state.turns.front();
  state.turns.pop_front();
  auto& console = state.find(turn.id);
  turn.file = kj::mv(console.file);
  if (!console.pieces.empty()) {
    turn.piece = kj::mv(console.pieces.front());
    console.pieces.pop_front();
    console.bytes -= turn.piece.size();
    state.count(turn.id, console);
  }
  turn.lost = console.lost;
  console.lost = 0;
  state.isWriting = true;
  return turn;
}

// Who waits for what is written now, if all is.
ConsoleWriter::Waiting ConsoleWriter::end(State& state, Turn& turn,
                                          const kj::Maybe<kj::Exception>& failure) {
  auto& console = state.find(turn.id);
  console.hasTurn = false;
  KJ_IF_MAYBE (e, failure) {
    console.fail(*e);
    state.count(turn.id, console);
  }
  if (!console.isWritten()) {
    console.file = kj::mv(turn.file);
    state.giveTurn(turn.id, console);
    return Waiting();
  }
  auto waiting = kj::mv(console.waiting);
  if (console.isRemoved) {
    state.consoles.erase(turn.id);
  } else {
    console.file = kj::mv(turn.file);
  }
  return waiting;
}

void ConsoleWriter::serve(const Shared& shared) {
  for (;;) {
    Turn turn;
    {
      auto state = shared.state.lockExclusive();
      state->isWriting = false;
      state.wait([](const State& state) { return state.isEnding || !state.turns.empty(); });
      if (state->turns.empty()) return;
      turn = begin(*state);
    }
    auto failure = kj::runCatchingExceptions([&]() {
      if (turn.lost > 0) turn.file->lose(turn.lost);
      turn.file->append(turn.piece);
    });
    auto waiting = [&]() {
      auto state = shared.state.lockExclusive();
      return end(*state, turn, failure);
    }();
    for (auto& fulfiller : waiting) {
      KJ_IF_MAYBE (e, failure) {
        fulfiller->reject(kj::cp(*e));
      } else {
        fulfiller->fulfill();
      }
    }
  }
}

}  // namespace bothy
