#pragma once

#include <kj/debug.h>
#include <kj/refcount.h>
#include <kj/vector.h>

#include <atomic>
#include <deque>

#include "loop/worker-thread.h"

namespace bothy {

// A thread for calls that block, and that may hang: the thread of one that does is left to it, and the next
// call gets another.  Calls run one after the other, in the order in which they were made.
class RenewableWorker final {
public:
  struct Call {
    kj::StringPtr what;  // for people
    kj::StringPtr
        subject;  // what it is about; a call about what hangs is refused at once.  May be empty
    kj::Duration limit;
  };

  // `world` names in messages what is called.  So many calls may hang at once as `hungLimit` says; further ones
  // are refused until one of these ends.
  RenewableWorker(kj::Timer& timer, kj::StringPtr world, size_t hungLimit);
  // Waits for the call under way, unless it hangs.  Calls that wait are not run.
  ~RenewableWorker() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(RenewableWorker);

  // Runs `func` on the thread and resolves to what it returns.  Fails with what it throws, or with OVERLOADED
  // when it has not begun within the limit, or not ended within the limit of its beginning, or is refused.
  // Dropping the promise cancels a call that has not begun; one that has runs to its end.
  template <typename Func>
  kj::Promise<kj::_::ReturnType<Func, void>> run(Call call, Func&& func) {
    using Result = kj::_::ReturnType<Func, void>;
    auto paf = kj::newPromiseAndFulfiller<Result>();
    auto progress = kj::atomicRefcounted<Progress>();
    auto late = failUnlessBegun(kj::atomicAddRef(*progress), kj::str(call.what), call.limit);
    add(kj::heap<JobOf<Result, kj::Decay<Func>>>(call, kj::mv(progress), kj::fwd<Func>(func),
                                                 kj::mv(paf.fulfiller)));
    return paf.promise.exclusiveJoin(late.then([]() -> Result { KJ_UNREACHABLE; }));
  }

  // Told when a call begins to hang.
  void onHang(kj::Function<void()> listener) { hangListener = kj::mv(listener); }

private:
  struct Progress final: public kj::AtomicRefcounted {
    mutable std::atomic<bool> begun = false;
    mutable std::atomic<bool> ended = false;
  };

  struct Job {
    Job(const Call& call, kj::Own<const Progress> progress)
        : what(kj::str(call.what)),
          subject(kj::str(call.subject)),
          limit(call.limit),
          progress(kj::mv(progress)) {}
    virtual ~Job() noexcept(false) {}
    virtual bool isWanted() = 0;
    virtual void refuse(kj::Exception&& why) = 0;
    // Resolves when the caller has its answer, which may be that the call hangs.
    virtual kj::Promise<void> perform(WorkerThread& worker) = 0;

    kj::String what;
    kj::String subject;
    kj::Duration limit;
    kj::Own<const Progress> progress;
  };

  template <typename Result, typename Func>
  struct JobOf final: public Job {
    JobOf(const Call& call, kj::Own<const Progress> progress, Func func,
          kj::Own<kj::PromiseFulfiller<Result>> fulfiller)
        : Job(call, kj::mv(progress)), func(kj::mv(func)), fulfiller(kj::mv(fulfiller)) {}

    bool isWanted() override { return fulfiller->isWaiting(); }
    void refuse(kj::Exception&& why) override { fulfiller->reject(kj::mv(why)); }
    kj::Promise<void> perform(WorkerThread& worker) override {
      auto running = worker.run(
          what, limit, [func = kj::mv(func), progress = kj::atomicAddRef(*progress)]() mutable {
            KJ_DEFER(progress->ended = true);
            return func();
          });
      auto fail = [this](kj::Exception&& why) { refuse(kj::mv(why)); };
      if constexpr (kj::isSameType<Result, void>()) {
        return running.then([this]() { fulfiller->fulfill(); }, kj::mv(fail));
      } else {
        return running.then([this](Result result) { fulfiller->fulfill(kj::mv(result)); },
                            kj::mv(fail));
      }
    }

    Func func;
    kj::Own<kj::PromiseFulfiller<Result>> fulfiller;
  };

  struct Hung {
    kj::String subject;
    kj::Own<const Progress> progress;
  };

  kj::Timer& timer;
  kj::String world;
  size_t hungLimit;
  kj::Function<void()> hangListener = []() {};
  std::deque<kj::Own<Job>> waiting;
  kj::Vector<Hung> hung;
  kj::Maybe<kj::Own<WorkerThread>> worker;
  bool isServing = false;
  // Last, so that it ends before what it uses goes.
  kj::Promise<void> serving = kj::READY_NOW;

  void add(kj::Own<Job> job);
  kj::Promise<void> serve();
  kj::Promise<void> failUnlessBegun(kj::Own<const Progress> progress, kj::String what,
                                    kj::Duration limit);
  kj::Maybe<kj::Exception> whyNot(const Job& job);
  void forgetEnded();
  kj::Exception overloaded(kj::StringPtr why);
};

}  // namespace bothy
