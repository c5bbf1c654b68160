#pragma once

#include <kj/async.h>

#include <deque>

namespace bothy {

// So many may be at something at once; the others wait in the order of their asking.
class Slots final {
public:
  explicit Slots(size_t count) : free(count) {}
  KJ_DISALLOW_COPY_AND_MOVE(Slots);

  // Given back when it is dropped, before the Slots are.
  class Slot final {
  public:
    explicit Slot(Slots& slots) : slots(slots) {}
    ~Slot() noexcept(false) { slots.giveBack(); }
    KJ_DISALLOW_COPY_AND_MOVE(Slot);

  private:
    Slots& slots;
  };
  // Who drops the promise takes none.
  kj::Promise<kj::Own<Slot>> take();

private:
  size_t free;
  // Some of them may wait no more.
  std::deque<kj::Own<kj::PromiseFulfiller<kj::Own<Slot>>>> waiting;

  void giveBack();
};

}  // namespace bothy
