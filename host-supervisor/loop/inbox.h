#pragma once

#include <kj/async.h>
#include <kj/mutex.h>

#include <deque>

namespace bothy {

// Messages from any thread to the event loop, in order.  One reader.
template <typename T>
class Inbox final {
public:
  // What is put beyond `limit` unread messages is lost.
  explicit Inbox(size_t limit) : limit(limit) {}
  KJ_DISALLOW_COPY_AND_MOVE(Inbox);

  // From any thread, one without an event loop included.
  void put(T message) const {
    auto state = guarded.lockExclusive();
    if (state->messages.size() >= limit) return;
    state->messages.push_back(kj::mv(message));
    KJ_IF_MAYBE (reader, state->reader) {
      (*reader)->fulfill();
      state->reader = nullptr;
    }
  }

  // The next message.  Dropping the promise loses none.
  kj::Promise<T> take() {
    for (;;) {
      auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
      {
        auto state = guarded.lockExclusive();
        if (!state->messages.empty()) {
          T message = kj::mv(state->messages.front());
          state->messages.pop_front();
          co_return kj::mv(message);
        }
        state->reader = kj::mv(paf.fulfiller);
      }
      co_await paf.promise;
    }
  }

private:
  struct State {
    std::deque<T> messages;
    kj::Maybe<kj::Own<kj::CrossThreadPromiseFulfiller<void>>> reader;
  };

  const size_t limit;
  kj::MutexGuarded<State> guarded;
};

}  // namespace bothy
