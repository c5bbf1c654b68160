#pragma once

#include <kj/list.h>

#include "wire/byte-tail.h"

namespace bothy {

class OutputBudget;

// The last bytes of what a program has written, by their numbers, until they are dropped.
class OutputRing final {
public:
  // What it takes of memory, in bytes: powers of two, of at least ByteTail::LEAST_BYTES.
  struct Sizes {
    size_t least;  // has in any case, when it needs so much
    size_t most;
  };
  // `budget` outlives it.
  OutputRing(OutputBudget& budget, Sizes sizes);
  ~OutputRing() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(OutputRing);

  // The first byte that is still here, and the one that comes next.  Any turn of the event loop may move the first.
  uint64_t begin() const;
  uint64_t end() const;
  // What it has of the budget.
  size_t size() const { return granted; }

  void append(kj::ArrayPtr<const kj::byte> data);
  // Copies the bytes from `sequence` on; all that `target` asks for must be here.
  void copy(uint64_t sequence, kj::ArrayPtr<kj::byte> target) const;

  // How much of `wanted` may be appended without a loss of what is here from `position` on.  Takes room for it, of other rings too.
  size_t makeRoomAfter(uint64_t position, size_t wanted);

  // Whether somebody waits for what comes, at first nobody: see OutputBudget.
  void setWatched(bool isWatched);

  // Frees the bytes.  Those that come later are counted and not kept.
  void drop();

private:
  friend class OutputBudget;

  OutputBudget& budget;
  const Sizes sizes;
  kj::Maybe<ByteTail> tail;
  uint64_t counted = 0;  // without a tail: the bytes that came
  size_t granted = 0;
  bool watched = false;
  // It cannot have more than `granted` until OutputBudget::releases is another.
  kj::Maybe<uint64_t> deniedAt;
  kj::ListLink<OutputRing> link;

  void growFor(ByteTail& kept, size_t bytes);
  // Has half of what it had.
  void giveWay();
};

// One who reads the output of a program, from any place on.
class OutputReader final {
public:
  explicit OutputReader(uint64_t position) : next(position) {}

  // The byte that comes next.
  uint64_t position() const { return next; }
  // What comes next is not here any more.
  bool hasLost(const OutputRing& ring) const { return next < ring.begin(); }
  // So much has come, as far as `most`.  Nothing may be lost.
  size_t ready(const OutputRing& ring, size_t most) const;

  // Goes on at `sequence`.  So many bytes before it were not read.
  uint64_t skipTo(uint64_t sequence);
  // Takes the next bytes, which must be ready.
  void read(const OutputRing& ring, kj::ArrayPtr<kj::byte> target);

private:
  uint64_t next;
};

}  // namespace bothy
