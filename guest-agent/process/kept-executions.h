#pragma once

#include <deque>

#include <kj/map.h>

#include "process/execution.h"

namespace bothy {

// The programs that outlive what their callers hold of them, by their ids.  Each is here from its start on until nobody
// has held it for rpc::PROCESS_KEEP_MILLIS, it was ended, or it ended by itself and rpc::MAX_ENDED_PROCESSES
// others after it.
class KeptExecutions final: public kj::Refcounted {
public:
  explicit KeptExecutions(ProcessHost& host) : host(host) {}
  ~KeptExecutions() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(KeptExecutions);

  // A program from its start on; its id.  Random, so that a client which kept one over a boot of the machine does
  // not find another's.
  uint64_t add(kj::Own<Execution> execution);

  kj::Maybe<Execution&> find(uint64_t id);

  // Somebody holds it, or one who did does no more.
  void hold(uint64_t id);
  void release(uint64_t id);

  // Ends it and forgets it; nothing if it is not here.
  void end(uint64_t id);

  kj::Own<KeptExecutions> addRef() { return kj::addRef(*this); }

private:
  struct Entry {
    kj::Own<Execution> execution;
    uint holders = 0;
    kj::Promise<void> expiry = nullptr;
  };

  ProcessHost& host;
  kj::HashMap<uint64_t, Entry> entries;
  std::deque<uint64_t> ended;  // that nobody holds; oldest first
};

}  // namespace bothy
