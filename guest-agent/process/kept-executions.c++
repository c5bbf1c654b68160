#include "process/kept-executions.h"

#include <sys/random.h>

#include <algorithm>

#include <kj/debug.h>

namespace bothy {

KeptExecutions::~KeptExecutions() noexcept(false) {
  for (auto& entry : entries) entry.value.execution->abandon();
}

uint64_t KeptExecutions::add(kj::Own<Execution> execution) {
  uint64_t id = 0;
  while (id == 0 || entries.find(id) != nullptr) {
    ssize_t size;
    KJ_SYSCALL(size = getrandom(&id, sizeof(id), 0));
    KJ_ASSERT(size == sizeof(id));
  }
  entries.insert(id, Entry{kj::mv(execution)});
  return id;
}

kj::Maybe<Execution&> KeptExecutions::find(uint64_t id) {
  return entries.find(id).map([](Entry& entry) -> Execution& { return *entry.execution; });
}

void KeptExecutions::hold(uint64_t id) {
  KJ_IF_MAYBE (entry, entries.find(id)) {
    entry->holders++;
    entry->expiry = nullptr;
    ended.erase(std::remove(ended.begin(), ended.end(), id), ended.end());
  }
}

void KeptExecutions::release(uint64_t id) {
  KJ_IF_MAYBE (entry, entries.find(id)) {
    if (--entry->holders > 0) return;
    // In a task of its own: the end takes the promise of the waiting with it.
    entry->expiry = host.timer.afterDelay(rpc::PROCESS_KEEP_MILLIS * kj::MILLISECONDS)
                        .then([this, id]() {
                          host.runInBackground(
                              kj::evalLater([self = addRef(), id]() mutable { self->end(id); }));
                        })
                        .eagerlyEvaluate(nullptr);
    if (entry->execution->process().isRunning()) return;
    ended.push_back(id);
    if (ended.size() > rpc::MAX_ENDED_PROCESSES) end(ended.front());
  }
}

void KeptExecutions::end(uint64_t id) {
  ended.erase(std::remove(ended.begin(), ended.end(), id), ended.end());
  KJ_IF_MAYBE (entry, entries.find(id)) {
    entry->execution->input().close();
    entry->execution->abandon();
    entries.erase(id);
  }
}

}  // namespace bothy
