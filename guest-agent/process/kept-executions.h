#pragma once

#include <deque>

#include <kj/map.h>

#include "process/execution.h"

namespace bothy {

// The programs that outlive what their callers hold of them, by their ids.  Each is here from its start on until nobody
// has held it for rpc::PROCESS_KEEP_MILLIS, it was ended, or it ended by itself and there are
// more than rpc::MAX_ENDED_PROCESSES of those.  How much of their outputs is kept their budget says.
class KeptExecutions final: public kj::Refcounted {
public:
  explicit KeptExecutions(Programs& programs) : programs(programs) {}
  ~KeptExecutions() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(KeptExecutions);

  // Keeps a program that has just started, and that nobody holds yet; its id.  Random, so that an id from before a boot
  // of the machine matches no other program.  `attachment` is dropped when the program is forgotten.
  uint64_t add(kj::Own<Execution> execution, kj::Own<void> attachment = {});

  kj::Maybe<Execution&> find(uint64_t id);

  // False: a later attempt than `attempt` was made to have it already.
  bool admits(uint64_t id, uint32_t attempt);

  // Somebody holds it, or one who did does no more.
  void hold(uint64_t id);
  void release(uint64_t id);

  // Somebody was told how it ended, who may have been lost since.  Counts from when all of its output was taken, too.
  void noteTold(uint64_t id);

  // Ends it and forgets it; nothing if it is not here.
  void end(uint64_t id);

  kj::Own<KeptExecutions> addRef() { return kj::addRef(*this); }

private:
  struct Entry {
    kj::Own<Execution> execution;
    uint holders = 0;
    uint32_t lastAttempt = 0;
    bool isTold = false;
    kj::Promise<void> telling = nullptr;  // until then
    kj::Promise<void> expiry = nullptr;
    kj::Own<void> attachment = {};
    kj::Promise<void> whenEnded = nullptr;
  };

  Programs& programs;
  kj::HashMap<uint64_t, Entry> entries;
  std::deque<uint64_t> ended;  // that nobody holds; oldest first

  void endUnlessHeld(uint64_t id);
  void expireUnlessHeld(uint64_t id, Entry& entry);
  void countEnded(uint64_t id);
  uint64_t leastWanted();
};

}  // namespace bothy
