#pragma once

#include <kj/async.h>
#include <kj/list.h>

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
  // Who drops the promise takes none, and leaves nothing here.  It is dropped before the Slots are.
  kj::Promise<kj::Own<Slot>> take();

private:
  class Waiter final {
  public:
    Waiter(kj::PromiseFulfiller<kj::Own<Slot>>& fulfiller, Slots& slots);
    ~Waiter() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Waiter);

    kj::PromiseFulfiller<kj::Own<Slot>>& fulfiller;
    kj::ListLink<Waiter> link;

  private:
    Slots& slots;
  };

  size_t free;
  kj::List<Waiter, &Waiter::link> waiting;

  void giveBack();
};

}  // namespace bothy
