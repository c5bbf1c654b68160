#pragma once

#include <kj/async.h>
#include <kj/debug.h>
#include <kj/map.h>
#include <kj/refcount.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include <deque>

#include "loop/worker.h"
#include "vm/turn-listener.h"

namespace bothy {

// Threads for calls that block, and that may hang, each about one machine.  A machine has one call under way at a time,
// and machines have their turns one after the other, however many calls one of them has waiting.
//
// A call that takes longer than `patience` is slow: it keeps its thread, and another thread serves the others in its
// place.  A machine that had a slow call lately gets its next turn only while there is room for another slow call, so
// several such machines cannot take the threads of all others either.  A call that misses its deadline hangs: it
// is slow until it ends, its caller has an exception, and its machine's other calls are refused.
class MachineWorkers final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    // Calls at once that are not slow.
    size_t threads;
    kj::Duration patience;
    // Slow calls that another thread stands in for; those that hang are among them.  Further ones hold up others.
    size_t slowCalls;
    // How long a call may wait for its turn.
    kj::Duration wait;
    // Calls that may wait at once, of all machines and of one.
    size_t waiting;
    size_t waitingOfMachine;
  };

  struct Call {
    kj::StringPtr what;  // for people
    // Empty: it is about none, and excludes no other.
    kj::StringPtr machine;
    // Counts from its beginning.
    kj::Duration limit;
    // Outlives the promise.  May be called within run().
    kj::Maybe<TurnListener&> listener = nullptr;
  };

  // `world` names in messages what is called.  `threads` outlives it.
  MachineWorkers(kj::Timer& timer, WorkerSource& threads, kj::StringPtr world, Limits limits);
  // Waits for the calls under way, but not for those that hang.  Calls that wait are not run.
  ~MachineWorkers() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(MachineWorkers);

  // Runs `func` on one of the threads and resolves to what it returns.  Fails with what it throws, or with OVERLOADED
  // when it has not ended within its limit, its turn has not come within `wait`, or it is refused.  Dropping the
  // promise takes a call that waits out of the queue; one that has begun runs to its end.
  template <typename Func>
  kj::Promise<kj::_::ReturnType<Func, void>> run(Call call, Func&& func) {
    using Result = kj::_::ReturnType<Func, void>;
    KJ_IF_MAYBE (reason, whyNot(call)) return kj::mv(*reason);
    auto paf = kj::newPromiseAndFulfiller<Result>();
    kj::Own<Job> job = kj::refcounted<JobOf<Result, kj::Decay<Func>>>(call, kj::fwd<Func>(func),
                                                                      kj::mv(paf.fulfiller));
    auto late = failUnlessBegun(kj::addRef(*job));
    auto ticket = kj::heap<Ticket>(kj::addRef(*job));
    add(kj::mv(job));
    return paf.promise.exclusiveJoin(late.then([]() -> Result { KJ_UNREACHABLE; }))
        .attach(kj::mv(ticket));
  }

  // Whether a call about the machine is under way, also one that hangs, or waits.
  bool isCalled(kj::StringPtr machine) const;

  // No call is under way, also one that hangs, or waits, and nothing is left to do.
  bool isIdle() { return underWay == 0 && waiting == 0 && tasks.isEmpty(); }

  // Told when a call begins to hang.
  void onHang(kj::Function<void()> listener) { hangListener = kj::mv(listener); }

private:
  struct Job: public kj::Refcounted {
    explicit Job(Call& call)
        : what(kj::str(call.what)),
          machine(kj::str(call.machine)),
          limit(call.limit),
          listener(call.listener) {}
    virtual void refuse(kj::Exception&& why) = 0;
    // Resolves when the caller has its answer, which may be that the call hangs.  `ended` is fulfilled when the thread
    // is free again.
    virtual kj::Promise<void> perform(Worker& worker,
                                      kj::Own<kj::CrossThreadPromiseFulfiller<void>> ended) = 0;

    kj::String what;
    kj::String machine;
    kj::Duration limit;
    kj::Maybe<TurnListener&> listener;
    bool hasBegun = false;
    bool hasWaited = false;
    // While it waits.
    kj::Maybe<MachineWorkers&> queue;
  };

  template <typename Result, typename Func>
  struct JobOf final: public Job {
    JobOf(Call& call, Func func, kj::Own<kj::PromiseFulfiller<Result>> fulfiller)
        : Job(call), func(kj::heap<Func>(kj::mv(func))), fulfiller(kj::mv(fulfiller)) {}

    void refuse(kj::Exception&& why) override { fulfiller->reject(kj::mv(why)); }
    kj::Promise<void> perform(Worker& worker,
                              kj::Own<kj::CrossThreadPromiseFulfiller<void>> ended) override {
      auto running =
          worker.run(what, limit, [func = kj::mv(func), ended = kj::mv(ended)]() mutable -> Result {
            KJ_DEFER(ended->fulfill());
            return (*func)();
          });
      auto fail = [this](kj::Exception&& why) { refuse(kj::mv(why)); };
      if constexpr (kj::isSameType<Result, void>()) {
        return running.then([this]() { fulfiller->fulfill(); }, kj::mv(fail));
      } else {
        return running.then([this](Result result) { fulfiller->fulfill(kj::mv(result)); },
                            kj::mv(fail));
      }
    }

    kj::Own<Func> func;
    kj::Own<kj::PromiseFulfiller<Result>> fulfiller;
  };

  // Its caller's hold on a call.
  struct Ticket {
    explicit Ticket(kj::Own<Job> job) : job(kj::mv(job)) {}
    ~Ticket() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Ticket);
    kj::Own<Job> job;
  };

  struct Machine {
    explicit Machine(kj::StringPtr name) : name(kj::str(name)) {}
    kj::String name;
    std::deque<kj::Own<Job>> waiting;
    bool isBusy = false;
    // Its thread is not free yet.
    bool isInCall = false;
    bool hangs = false;
    // Until when its calls are expected to be slow.
    kj::Maybe<kj::TimePoint> slowUntil;
  };

  kj::Timer& timer;
  WorkerSource& threads;
  const kj::String world;
  const Limits limits;
  kj::Function<void()> hangListener = []() {};
  // Those with calls, and those that were slow lately.
  kj::HashMap<kj::String, kj::Own<Machine>> machines;
  // Those with a call that waits and none under way, in the order of their turns.
  std::deque<Machine*> turns;
  uint64_t callsWithoutMachine = 0;
  // Calls have other turns than those they were told.
  bool hasNewTurn = false;
  size_t waiting = 0;
  size_t underWay = 0;
  size_t slow = 0;
  size_t hung = 0;
  kj::Vector<kj::Own<Worker>> idle;
  // Last, so that the calls end before what they use goes.
  kj::TaskSet tasks;

  kj::Maybe<kj::Exception> whyNot(const Call& call);
  void add(kj::Own<Job> job);
  void withdraw(Job& job);
  kj::Promise<void> failUnlessBegun(kj::Own<Job> job);
  // Begins as many calls as may be under way.
  void beginNext();
  // Its turn may come when its slow call is forgotten, without any other call's end.
  void wakeWhenForgiven(const Machine& machine);
  bool mayBegin(const Machine& machine) const;
  kj::Promise<void> perform(Machine& machine, kj::Own<Job> job);
  kj::Own<Worker> takeThread();
  void noteHang(Machine& hanging, const Job& job);
  void finish(Machine& machine);
  void forgetIdle();
  void notify(Job& job, size_t before);
  // A listener that fails costs no call.
  void tell(Job& job, kj::FunctionParam<void(TurnListener&)> what);
  bool hangsForGood() const { return hung >= limits.threads + limits.slowCalls; }
  kj::Exception overloaded(kj::StringPtr why) const;
  kj::Exception stillHangs(kj::StringPtr machine, kj::StringPtr what) const;
  kj::Exception hangsInAll() const;
  kj::Exception noLongerCalled() const;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
