#pragma once

#include <kj/string.h>
#include <kj/vector.h>
#include <sys/types.h>

#include "wake/wake-summary.h"

namespace bothy {

constexpr uint32_t MOST_WAKES = 32;
// Of a user who is not root.
constexpr uint32_t MOST_WAKES_OF_USER = 8;
constexpr uint64_t LEAST_WAKE_MILLIS = 1000;

// The wake locks of a machine.  Times are those of a clock that never goes back, in ms.
class WakeTable final {
public:
  // What somebody asks for in a line: "hold MILLIS LABEL", which is over when `connection` is, "keep MILLIS LABEL", "list", "release ID" or "release all".
  // The answer has lines too: "ok ID", of a list one for each ("ID UID LEFT-MILLIS hold LABEL"), and "no WHY" where it is refused.
  kj::String answer(kj::StringPtr request, uid_t uid, uint64_t connection, uint64_t now);
  // Whether it holds a lock.
  bool isHeldBy(uint64_t connection) const;
  void connectionEnded(uint64_t connection);
  // Ends those whose time is over.
  void pass(uint64_t now);
  // When the first one ends.
  kj::Maybe<uint64_t> nextEnd() const;
  bool isEmpty() const { return wakes.empty(); }
  WakeSummary summary() const;

private:
  struct Wake {
    uint64_t id;
    uid_t uid;
    uint64_t until;
    kj::Maybe<uint64_t> connection;  // none: it is kept
    kj::String label;
  };
  kj::Vector<Wake> wakes;
  uint64_t lastId = 0;

  kj::String take(kj::StringPtr words, uid_t uid, kj::Maybe<uint64_t> connection, uint64_t now);
  kj::String list(uint64_t now) const;
  kj::String release(kj::StringPtr which, uid_t uid);
  template <typename Ends>
  uint32_t end(Ends&& ends);
};

}  // namespace bothy
