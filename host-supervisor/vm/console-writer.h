#pragma once

#include <kj/async.h>
#include <kj/map.h>
#include <kj/mutex.h>
#include <kj/refcount.h>
#include <kj/thread.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include <deque>
#include <set>
#include <utility>

#include "loop/log-pace.h"
#include "vm/console-file.h"

namespace bothy {

// What a console said and its file has not: above it the oldest pieces go, of which only the number of bytes is kept.
constexpr size_t CONSOLE_BUFFER_BYTES = 256 * 1024;
// Of all consoles together: above it whoever has most loses its oldest, so that those who say much cost those who say little nothing.
constexpr size_t CONSOLE_BUFFERS_BYTES = 64 * 1024 * 1024;
// Of one console in one piece, before others have a turn.
constexpr size_t CONSOLE_PIECE_BYTES = 64 * 1024;
static_assert(CONSOLE_BUFFER_BYTES >= 2 * CONSOLE_PIECE_BYTES);

// Writes what consoles said to their files, on one thread: a disk that is slow, as guests can make it, or that hangs, holds up no write's
// caller.  Consoles have their turns one after the other.
class ConsoleWriter final {
public:
  // `clock` outlives it.
  explicit ConsoleWriter(const kj::MonotonicClock& clock);
  // Waits until all is written, END_LIMIT at most: a thread that hangs is left to itself.  A process that ends without it has
  // whenAllWritten().
  ~ConsoleWriter() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ConsoleWriter);

  static constexpr kj::Duration END_LIMIT = 1 * kj::SECONDS;

  // A console; `name` is for the log.  What it says waits for open().
  uint64_t add(kj::StringPtr name);
  void open(uint64_t console, kj::Own<ConsoleFile> file);
  // In the place of open(): append() throws this.
  void fail(uint64_t console, const kj::Exception& exception);
  // Never waits.  What makes room for it is lost, and the file says so in its place.  Throws what the file has failed with, if it has.
  void append(uint64_t console, kj::ArrayPtr<const kj::byte> bytes);
  // When the file has all that was appended.  Fails as append() throws.
  kj::Promise<void> whenWritten(uint64_t console);
  // The same of all consoles; those whose file has failed are not waited for.
  kj::Promise<void> whenAllWritten();
  // Nothing more comes.  What was appended is still written, where the file is open.
  void remove(uint64_t console);

private:
  using Waiting = kj::Vector<kj::Own<kj::CrossThreadPromiseFulfiller<void>>>;

  struct Console {
    kj::String name;
    kj::Own<ConsoleFile> file;  // but while it is written to
    bool isOpen = false;
    std::deque<kj::Vector<kj::byte>> pieces;  // each at most CONSOLE_PIECE_BYTES
    size_t bytes = 0;                         // of all
    size_t counted = 0;                       // of these in State::bytes
    uint64_t lost = 0;                        // before these
    Waiting waiting;                          // for all that
    kj::Maybe<kj::Exception> failure;
    bool hasTurn = false;  // now or later
    bool isRemoved = false;

    bool isWritten() const { return pieces.empty() && lost == 0; }
    void collect(kj::ArrayPtr<const kj::byte> added);
    void loseOldest(size_t count);
    void fail(const kj::Exception& exception);
  };

  struct State {
    kj::HashMap<uint64_t, kj::Own<Console>> consoles;
    std::deque<uint64_t> turns;
    size_t bytes = 0;                                // of all consoles
    std::set<std::pair<size_t, uint64_t>> byLength;  // consoles with bytes, those with most last
    uint64_t next = 0;
    bool isWriting = false;
    bool isEnding = false;

    void giveTurn(uint64_t id, Console& console);
    // Returns the names of the consoles that lose something for it, and had not before.
    kj::Vector<kj::String> collect(uint64_t id, Console& console,
                                   kj::ArrayPtr<const kj::byte> added);
    // After each change of its bytes.
    void count(uint64_t id, Console& console);
    Console& find(uint64_t id) { return *KJ_ASSERT_NONNULL(consoles.find(id)); }
  };

  // Shared with the thread, which may outlive the object.
  struct Shared final: public kj::AtomicRefcounted {
    kj::MutexGuarded<State> state;
  };

  // What a turn is about.
  struct Turn {
    uint64_t id;
    kj::Own<ConsoleFile> file;
    uint64_t lost = 0;  // before the piece
    kj::Vector<kj::byte> piece;
  };

  kj::Own<const Shared> shared;
  LogPace pace;
  kj::Own<kj::Thread> thread;

  static kj::Promise<void> whenWritten(Console& console);
  static void serve(const Shared& shared);
  static Turn begin(State& state);
  static Waiting end(State& state, Turn& turn, const kj::Maybe<kj::Exception>& failure);
};

}  // namespace bothy
