#include "loop/worker-thread.h"

#include <kj/debug.h>

namespace bothy {

WorkerThread::WorkerThread(kj::Timer& timer, kj::StringPtr world)
    : timer(timer), world(kj::str(world)), queue(kj::atomicRefcounted<Queue>()) {
  thread = kj::heap<kj::Thread>([queue = kj::atomicAddRef(*queue)]() { serve(*queue); });
}

WorkerThread::~WorkerThread() noexcept(false) {
  bool hangs;
  std::deque<kj::Own<Job>> unserved, unservedFirst;
  {
    auto state = queue->state.lockExclusive();
    state->stopping = true;
    hangs = state->busy && missedDeadline;
    unserved.swap(state->jobs);
    unservedFirst.swap(state->first);
  }
  if (hangs) thread->detach();
}

void WorkerThread::add(kj::Own<Job> job) {
  // They end when nobody is kept out.
  std::deque<kj::Own<Job>> dropped;
  auto state = queue->state.lockExclusive();
  if (state->jobs.size() >= WORKER_QUEUE_LIMIT_JOBS) {
    std::deque<kj::Own<Job>> awaited;
    for (auto& waiting : state->jobs) {
      (waiting->isAwaited() ? awaited : dropped).push_back(kj::mv(waiting));
    }
    state->jobs.swap(awaited);
  }
  if (state->jobs.size() >= WORKER_QUEUE_LIMIT_JOBS) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "too many calls wait", world));
  }
  state->jobs.push_back(kj::mv(job));
  queue->added.store(true, std::memory_order_release);
}

kj::Promise<void> WorkerThread::overdue(kj::String what, kj::Duration deadline) {
  co_await timer.afterDelay(deadline);
  missedDeadline = true;
  kj::throwFatalException(kj::Exception(
      kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
      kj::str(world, " did not answer within ", deadline / kj::SECONDS, " s: ", what)));
}

kj::Own<WorkerThread::Job> WorkerThread::next(State& state) {
  const bool isFirst =
      !state.first.empty() && (state.jobs.empty() || state.between >= WORKER_JOBS_BETWEEN);
  auto& jobs = isFirst ? state.first : state.jobs;
  auto job = kj::mv(jobs.front());
  jobs.pop_front();
  state.between = isFirst ? 0 : state.between + 1;
  return job;
}

// Whoever was answered often asks for the next at once, and to wake a thread takes longer than that.
void WorkerThread::lookForJobs(const Queue& queue) {
  const auto& clock = kj::systemPreciseMonotonicClock();
  const auto until = clock.now() + WORKER_LOOK_LIMIT;
  do {
    if (queue.added.load(std::memory_order_acquire)) return;
  } while (clock.now() < until);
}

void WorkerThread::serve(const Queue& queue) {
  for (;;) {
    kj::Own<Job> job;
    {
      auto state = queue.state.lockExclusive();
      state->busy = false;
      state.wait([](const State& state) {
        return state.stopping || !state.jobs.empty() || !state.first.empty();
      });
      if (state->stopping) return;
      job = next(*state);
      state->busy = true;
      queue.added.store(!state->jobs.empty() || !state->first.empty(), std::memory_order_relaxed);
    }
    if (job->isAwaited()) job->run();
    job = nullptr;
    lookForJobs(queue);
  }
}

}  // namespace bothy
