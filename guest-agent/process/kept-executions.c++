#include "process/kept-executions.h"

#include <sys/random.h>

#include <algorithm>

#include <kj/debug.h>

namespace bothy {

KeptExecutions::~KeptExecutions() noexcept(false) {
  for (auto& entry : entries) entry.value.execution->abandon();
}

uint64_t KeptExecutions::add(kj::Own<Execution> execution, kj::Own<void> attachment) {
  uint64_t id = 0;
  while (id == 0 || entries.find(id) != nullptr) {
    ssize_t size;
    KJ_SYSCALL(size = getrandom(&id, sizeof(id), 0));
    KJ_ASSERT(size == sizeof(id));
  }
  auto& entry = entries.insert(id, Entry{kj::mv(execution)}).value;
  entry.attachment = kj::mv(attachment);
  entry.whenEnded =
      entry.execution->onEnded().then([this, id]() { countEnded(id); }).eagerlyEvaluate(nullptr);
  expireUnlessHeld(id, entry);
  return id;
}

kj::Maybe<Execution&> KeptExecutions::find(uint64_t id) {
  return entries.find(id).map([](Entry& entry) -> Execution& { return *entry.execution; });
}

bool KeptExecutions::admits(uint64_t id, uint32_t attempt) {
  auto& entry = KJ_REQUIRE_NONNULL(entries.find(id));
  if (attempt < entry.lastAttempt) return false;
  entry.lastAttempt = attempt;
  return true;
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
    expireUnlessHeld(id, *entry);
    if (!entry->execution->process().isRunning()) countEnded(id);
  }
}

void KeptExecutions::noteTold(uint64_t id) {
  KJ_IF_MAYBE (entry, entries.find(id)) {
    entry->telling = entry->execution->onFinished()
                         .then([this, id](Execution::Result&&) {
                           KJ_IF_MAYBE (known, entries.find(id)) known->isTold = true;
                         })
                         .eagerlyEvaluate([](kj::Exception&&) {});
  }
}

void KeptExecutions::expireUnlessHeld(uint64_t id, Entry& entry) {
  // In a task of its own: end() destroys the promise of this timer.
  entry.expiry = programs.timer.afterDelay(rpc::PROCESS_KEEP_MILLIS * kj::MILLISECONDS)
                     .then([this, id]() {
                       programs.runInBackground(kj::evalLater(
                           [self = addRef(), id]() mutable { self->endUnlessHeld(id); }));
                     })
                     .eagerlyEvaluate(nullptr);
}

// It has ended; whoever holds it counts it by release().
void KeptExecutions::countEnded(uint64_t id) {
  KJ_IF_MAYBE (entry, entries.find(id)) {
    if (entry->holders > 0 || std::find(ended.begin(), ended.end(), id) != ended.end()) return;
    ended.push_back(id);
    if (ended.size() > rpc::MAX_ENDED_PROCESSES) end(leastWanted());
  }
}

// The oldest of those whose end was told, for most of their callers are gone for good; else the oldest of all.
uint64_t KeptExecutions::leastWanted() {
  auto isTold = [this](uint64_t id) { return KJ_ASSERT_NONNULL(entries.find(id)).isTold; };
  auto told = std::find_if(ended.begin(), ended.end(), isTold);
  return told == ended.end() ? ended.front() : *told;
}

void KeptExecutions::endUnlessHeld(uint64_t id) {
  KJ_IF_MAYBE (entry, entries.find(id)) {
    if (entry->holders == 0) end(id);
  }
}

void KeptExecutions::end(uint64_t id) {
  ended.erase(std::remove(ended.begin(), ended.end(), id), ended.end());
  KJ_IF_MAYBE (entry, entries.find(id)) {
    KJ_IF_MAYBE (input, entry->execution->input()) input->close();
    entry->execution->abandon();
    entries.erase(id);
  }
}

}  // namespace bothy
