#pragma once

#include <kj/async.h>
#include <kj/mutex.h>
#include <kj/refcount.h>
#include <kj/thread.h>
#include <kj/timer.h>

#include <deque>

namespace bothy {

// Jobs that may wait at once; one more is refused with OVERLOADED.
constexpr size_t WORKER_QUEUE_LIMIT_JOBS = 1024;
// Jobs that wait, of which so many are run between two that go before them.
constexpr size_t WORKER_JOBS_BETWEEN = 32;

// One thread on which a world that blocks lives.  Jobs run one after the other, in the order in which
// they were given, but for those that go before others; the event loop gets promises.
class WorkerThread final {
public:
  // `world` names it in messages.
  WorkerThread(kj::Timer& timer, kj::StringPtr world);
  // Waits for the job under way, unless that has missed its deadline: then the thread is left to
  // itself.  Jobs that wait are not run.
  ~WorkerThread() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorkerThread);

  // Runs `func` on the thread and resolves to what it returns.  Fails with what it throws, or with
  // OVERLOADED when it has not ended within `deadline` from now; it then still runs to its end, and
  // what it returns is destroyed on the thread.  Dropping the promise does the same; a job that has
  // not begun by then is never run.
  template <typename Func>
  kj::Promise<kj::_::ReturnType<Func, void>> run(kj::StringPtr what, kj::Duration deadline,
                                                 Func&& func) {
    using Result = kj::_::ReturnType<Func, void>;
    return run(kj::fwd<Func>(func))
        .exclusiveJoin(overdue(kj::str(what), deadline).then([]() -> Result { KJ_UNREACHABLE; }));
  }

  // The same for what its caller has to know, however long it takes.
  template <typename Func>
  kj::Promise<kj::_::ReturnType<Func, void>> run(Func&& func) {
    using Result = kj::_::ReturnType<Func, void>;
    auto paf = kj::newPromiseAndCrossThreadFulfiller<Result>();
    add(kj::heap<JobOf<Result, kj::Decay<Func>>>(kj::fwd<Func>(func), kj::mv(paf.fulfiller)));
    return kj::mv(paf.promise);
  }

  // The same before those that wait, however many they are: it is never refused, so its caller has a
  // bound of its own.
  template <typename Func>
  kj::Promise<kj::_::ReturnType<Func, void>> runBefore(Func&& func) {
    using Result = kj::_::ReturnType<Func, void>;
    auto paf = kj::newPromiseAndCrossThreadFulfiller<Result>();
    queue->state.lockExclusive()->first.push_back(
        kj::heap<JobOf<Result, kj::Decay<Func>>>(kj::fwd<Func>(func), kj::mv(paf.fulfiller)));
    return kj::mv(paf.promise);
  }

private:
  class Job {
  public:
    virtual ~Job() noexcept(false) {}
    virtual void run() = 0;
    // Whether its caller still waits for it.
    virtual bool isAwaited() = 0;
  };

  template <typename Result, typename Func>
  class JobOf final: public Job {
  public:
    JobOf(Func func, kj::Own<kj::CrossThreadPromiseFulfiller<Result>> fulfiller)
        : func(kj::mv(func)), fulfiller(kj::mv(fulfiller)) {}

    void run() override {
      if (!fulfiller->isWaiting()) return;
      KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                     if constexpr (kj::isSameType<Result, void>()) {
                       func();
                       fulfiller->fulfill();
                     } else {
                       fulfiller->fulfill(func());
                     }
                   })) {
        fulfiller->reject(kj::mv(*exception));
      }
    }
    bool isAwaited() override { return fulfiller->isWaiting(); }

  private:
    Func func;
    kj::Own<kj::CrossThreadPromiseFulfiller<Result>> fulfiller;
  };

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
  };

  kj::Timer& timer;
  kj::String world;
  kj::Own<const Queue> queue;
  kj::Own<kj::Thread> thread;
  // When the job under way should have ended at the latest, as far as is known.
  bool missedDeadline = false;

  void add(kj::Own<Job> job);
  static kj::Own<Job> next(State& state);
  kj::Promise<void> overdue(kj::String what, kj::Duration deadline);
  static void serve(const Queue& queue);
};

}  // namespace bothy
