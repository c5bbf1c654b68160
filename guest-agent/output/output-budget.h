#pragma once

#include "output/output-ring.h"

namespace bothy {

// What the agent may keep of what the programs of its machine have written, in bytes: rings (OutputRing), and the cells of screens.
// Made once; outlives all that is in it.
//
// Each ring has its least in any case.  One that wants more gets it while there is room, or where another has at least twice as much
// as it would have then: that one gives half of what it has.  Rings that nobody watches give way first, each time the largest, and to
// one that is watched all of them do, down to their least; one that is watched gives way to none that is not.
//
// Screens have a part of their own at most, of which one has a quarter of what is left, so that no few large ones take all.  For them
// every ring gives way, in the same order.
class OutputBudget final {
public:
  explicit OutputBudget(size_t bytes);
  ~OutputBudget() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(OutputBudget);

  bool takeForScreen(size_t bytes);
  // Of what is small, and cannot be done without.
  void takeForScreenAnyway(size_t bytes);
  void giveBackOfScreen(size_t bytes);
  // For one screen that has `before`.  What is no more than that it has in any case; where it is refused it has nothing.
  bool changeForScreen(size_t before, size_t bytes);

  // What was granted, of which rings may not hold all yet.
  size_t held() const { return inRings + onScreens; }
  // So many times all rings were looked through, which takes a while where there are thousands.  Who was denied more looks no more
  // until something was given back.
  uint64_t searches() const { return searched; }

  // Screens have such a part of it at most, and one screen such a part of what is left of that.
  static constexpr size_t SCREENS_PART = 4, SCREEN_PART = 4;

private:
  friend class OutputRing;

  const size_t bytes;
  size_t inRings = 0;
  size_t onScreens = 0;
  kj::List<OutputRing, &OutputRing::link> rings;
  uint64_t releases = 0;  // counts what lets a ring have more that was denied it
  uint64_t searched = 0;

  void add(OutputRing& ring);
  void remove(OutputRing& ring);
  // What `ring` has from now on, at most `wanted`: more than before, or its least, or as much as before.
  size_t grow(OutputRing& ring, size_t wanted);
  void giveBack(OutputRing& ring);
  // `floorOf` tells to what a ring may be taken down.
  template <typename FloorOf>
  bool canMakeRoom(size_t more, FloorOf&& floorOf);
  // As much as there is.
  template <typename FloorOf>
  void makeRoom(size_t more, FloorOf&& floorOf);
};

// What the agent keeps at most: a part of the machine's memory.
size_t outputBytesOf(size_t memoryBytes);
size_t outputBytesOfThisMachine();
constexpr size_t LEAST_OUTPUT_BYTES = 16 * 1024 * 1024;

}  // namespace bothy
