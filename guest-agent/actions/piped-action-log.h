#pragma once

#include <kj/io.h>
#include <kj/time.h>
#include <kj/vector.h>

#include "actions/action-log.h"
#include "process/programs.h"

namespace bothy {

// Lines go through a pipe to a process that writes them (action-writer.h): a disk that is slow, frozen or full delays nothing here.  The process is
// started with the first line.
class PipedActionLog final: public ActionLog {
public:
  // `programs` outlives it, and starts `program` (a path) as the writer, with `directory`.
  PipedActionLog(Programs& programs, kj::StringPtr directory,
                 kj::StringPtr program = "/proc/self/exe"_kj);
  ~PipedActionLog() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(PipedActionLog);

  void addLater(kj::Function<kj::String()> makeLine) override;

  // The machine ends: no line is taken any more, and the writer ends when it has written those that it has.
  void close();

  // Lines wait here for so long, unless there are so many: what they tell of goes first, and not the writer.
  static constexpr kj::Duration HOLD_TIME = 100 * kj::MILLISECONDS;
  static constexpr size_t MAX_HELD_LINES = 32;

  // After a start, until a writer that has ended by itself is replaced.
  static constexpr kj::Duration RESTART_PAUSE = 1 * kj::SECONDS;

private:
  Programs& programs;
  const kj::String directory;
  const kj::String program;
  kj::Maybe<kj::AutoCloseFd> pipe;
  kj::Maybe<kj::TimePoint> started;
  bool isClosed = false;
  uint64_t lost = 0;  // lines, since the last that was taken
  kj::Vector<kj::Function<kj::String()>> held;
  kj::Promise<void> holding = nullptr;
  kj::Promise<void> running = nullptr;

  void writeHeld();
  void writeOrCount(kj::StringPtr line);
  bool mayStart() const;
  void start();
  kj::Promise<void> run(kj::Promise<kj::OneOf<SpawnedProcess, SpawnFailure>> spawning);
  bool write(kj::StringPtr line);
};

}  // namespace bothy
