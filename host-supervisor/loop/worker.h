#pragma once

#include <kj/async.h>
#include <kj/string.h>
#include <kj/time.h>

namespace bothy {

// Where a world that blocks lives.  Jobs run one after the other, in the order in which they were given; the event loop gets
// promises.  Dropping it waits for the job under way, unless that has missed its deadline.  Jobs that wait are not run.
class Worker {
public:
  // Runs `func` and resolves to what it returns.  Fails with what it throws, or with
  // OVERLOADED when it has not ended within `deadline` from now; it then still runs to its end, and
  // what it returns is destroyed where it runs.  Dropping the promise does the same; a job that has
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

protected:
  class Job {
  public:
    virtual ~Job() noexcept(false) {}
    // To its end, whether or not its caller still waits for it.
    virtual void run() = 0;
    // Whether its caller still waits for it: otherwise it is not begun.
    virtual bool isAwaited() = 0;
  };

  template <typename Result, typename Func>
  class JobOf final: public Job {
  public:
    JobOf(Func func, kj::Own<kj::CrossThreadPromiseFulfiller<Result>> fulfiller)
        : func(kj::mv(func)), fulfiller(kj::mv(fulfiller)) {}

    void run() override {
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

  // Throws OVERLOADED where too many wait.
  virtual void add(kj::Own<Job> job) = 0;
  // Fails with OVERLOADED after `deadline`, which a job has missed then.
  virtual kj::Promise<void> overdue(kj::String what, kj::Duration deadline) = 0;
};

// Where workers come from.
class WorkerSource {
public:
  // `world` names in messages what blocks.
  virtual kj::Own<Worker> newWorker(kj::StringPtr world) = 0;
};

}  // namespace bothy
