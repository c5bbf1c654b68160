#include "loop/worker-thread.h"

#include <kj/debug.h>

namespace bothy {

WorkerThread::WorkerThread(kj::Timer& timer, kj::StringPtr world)
    : timer(timer), world(kj::str(world)), queue(kj::atomicRefcounted<Queue>()) {
  thread = kj::heap<kj::Thread>([queue = kj::atomicAddRef(*queue)]() { serve(*queue); });
}

WorkerThread::~WorkerThread() noexcept(false) {
  bool hangs;
  std::deque<kj::Own<Job>> unserved;
  {
    auto state = queue->state.lockExclusive();
    state->stopping = true;
    hangs = state->busy && missedDeadline;
    unserved.swap(state->jobs);
  }
  if (hangs) thread->detach();
}

void WorkerThread::add(kj::Own<Job> job) {
  auto state = queue->state.lockExclusive();
  if (state->jobs.size() >= WORKER_QUEUE_LIMIT_JOBS) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "too many calls wait", world));
  }
  state->jobs.push_back(kj::mv(job));
}

kj::Promise<void> WorkerThread::overdue(kj::String what, kj::Duration deadline) {
  co_await timer.afterDelay(deadline);
  missedDeadline = true;
  kj::throwFatalException(kj::Exception(
      kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
      kj::str(world, " did not answer within ", deadline / kj::SECONDS, " s: ", what)));
}

void WorkerThread::serve(const Queue& queue) {
  for (;;) {
    kj::Own<Job> job;
    {
      auto state = queue.state.lockExclusive();
      state->busy = false;
      state.wait([](const State& state) { return state.stopping || !state.jobs.empty(); });
      if (state->stopping) return;
      job = kj::mv(state->jobs.front());
      state->jobs.pop_front();
      state->busy = true;
    }
    job->run();
  }
}

}  // namespace bothy
