#include "process/kept-executions.h"

#include <sys/random.h>

#include <algorithm>
#include <vector>

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
  entry.execution->whenGrown([this]() { boundHeldLater(); });
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
    if (entry->endNumber != 0) boundHeldLater();
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
  entry.expiry = host.timer.afterDelay(rpc::PROCESS_KEEP_MILLIS * kj::MILLISECONDS)
                     .then([this, id]() {
                       host.runInBackground(kj::evalLater(
                           [self = addRef(), id]() mutable { self->endUnlessHeld(id); }));
                     })
                     .eagerlyEvaluate(nullptr);
}

// It has ended; whoever holds it counts it by release().
void KeptExecutions::countEnded(uint64_t id) {
  KJ_IF_MAYBE (entry, entries.find(id)) {
    if (entry->endNumber == 0) entry->endNumber = nextEndNumber++;
    boundHeldLater();
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

void KeptExecutions::boundHeldLater() {
  if (isBoundDue) return;
  isBoundDue = true;
  // In a task of its own, as the expiry.
  host.runInBackground(kj::evalLater([self = addRef()]() mutable {
    self->isBoundDue = false;
    self->boundHeld();
  }));
}

// One that is forgotten has its output delivered, and its holder can ask how it ended; but what a sink has yet to be given
// out of the tail, after `reattach`, is lost.
void KeptExecutions::boundHeld() {
  struct Held {
    bool isTold;
    uint64_t endNumber;
    uint64_t id;
    size_t bytes;
  };
  size_t bytes = 0;
  std::vector<Held> held;
  for (auto& entry : entries) {
    auto& value = entry.value;
    if (value.holders == 0 || value.endNumber == 0) continue;
    const auto kept = value.execution->keptBytes();
    if (kept == 0) continue;
    bytes += kept;
    held.push_back({value.isTold, value.endNumber, entry.key, kept});
  }
  if (bytes <= rpc::MAX_HELD_OUTPUT_BYTES) return;
  std::sort(held.begin(), held.end(), [](const Held& a, const Held& b) {
    return a.isTold == b.isTold ? a.endNumber < b.endNumber : a.isTold;
  });
  for (auto& next : held) {
    auto execution = kj::addRef(*KJ_ASSERT_NONNULL(entries.find(next.id)).execution);
    end(next.id);
    execution->cutOff();
    bytes -= next.bytes;
    if (bytes <= rpc::MAX_HELD_OUTPUT_BYTES) return;
  }
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
