#pragma once

#include <kj/async.h>
#include <kj/mutex.h>
#include <kj/refcount.h>
#include <kj/thread.h>
#include <kj/timer.h>

#include <atomic>
#include <deque>

#include "loop/worker.h"

namespace bothy {

// Jobs that may wait at once; one more is refused with OVERLOADED.
constexpr size_t WORKER_QUEUE_LIMIT_JOBS = 1024;
// Jobs that wait, of which so many are run between two that go before them.
constexpr size_t WORKER_JOBS_BETWEEN = 32;
// So long a thread that has run a job looks for another before it sleeps.
constexpr kj::Duration WORKER_LOOK_LIMIT = 50 * kj::MICROSECONDS;

// One thread on which a world that blocks lives.  Jobs run in the order in which they were given, but for those that go before
// others.
class WorkerThread final: public Worker {
public:
  // `world` names it in messages.
  WorkerThread(kj::Timer& timer, kj::StringPtr world);
  // Waits for the job under way, unless that has missed its deadline: then the thread is left to
  // itself.  Jobs that wait are not run.
  ~WorkerThread() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorkerThread);

  // As run() without a deadline, before those that wait, however many they are: it is never refused, so its caller has a
  // bound of its own.
  template <typename Func>
  kj::Promise<kj::_::ReturnType<Func, void>> runBefore(Func&& func) {
    using Result = kj::_::ReturnType<Func, void>;
    auto paf = kj::newPromiseAndCrossThreadFulfiller<Result>();
    queue->state.lockExclusive()->first.push_back(
        kj::heap<JobOf<Result, kj::Decay<Func>>>(kj::fwd<Func>(func), kj::mv(paf.fulfiller)));
    queue->added.store(true, std::memory_order_release);
    return kj::mv(paf.promise);
  }

private:
  struct State {
    std::deque<kj::Own<Job>> jobs;
    // Those that go before them.
    std::deque<kj::Own<Job>> first;
    // Run since the last of those.
    size_t between = WORKER_JOBS_BETWEEN;
    bool stopping = false;
    bool busy = false;
  };

  // Shared with the thread, which may outlive the object.
  struct Queue final: public kj::AtomicRefcounted {
    kj::MutexGuarded<State> state;
    mutable std::atomic<bool> added = false;  // a job waits, perhaps
  };

  kj::Timer& timer;
  kj::String world;
  kj::Own<const Queue> queue;
  kj::Own<kj::Thread> thread;
  // When the job under way should have ended at the latest, as far as is known.
  bool missedDeadline = false;

  void add(kj::Own<Job> job) override;
  static kj::Own<Job> next(State& state);
  kj::Promise<void> overdue(kj::String what, kj::Duration deadline) override;
  static void lookForJobs(const Queue& queue);
  static void serve(const Queue& queue);
};

// A thread for each worker.
class WorkerThreads final: public WorkerSource {
public:
  explicit WorkerThreads(kj::Timer& timer) : timer(timer) {}

  kj::Own<Worker> newWorker(kj::StringPtr world) override {
    return kj::heap<WorkerThread>(timer, world);
  }

private:
  kj::Timer& timer;
};

}  // namespace bothy
