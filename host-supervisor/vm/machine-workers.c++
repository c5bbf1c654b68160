#include "vm/machine-workers.h"

namespace bothy {
namespace {

// For so long after its end a slow call counts against its machine.
constexpr kj::Duration SLOW_MEMORY = 60 * kj::SECONDS;

}  // namespace

MachineWorkers::MachineWorkers(kj::Timer& timer, WorkerSource& threads, kj::StringPtr world,
                               Limits limits)
    : timer(timer), threads(threads), world(kj::str(world)), limits(limits), tasks(*this) {}

MachineWorkers::~MachineWorkers() noexcept(false) {
  for (auto& machine : machines) {
    for (auto& job : machine.value->waiting) {
      job->queue = nullptr;
      job->refuse(noLongerCalled());
    }
  }
}

MachineWorkers::Ticket::~Ticket() noexcept(false) {
  KJ_IF_MAYBE (queue, job->queue) queue->withdraw(*job);
}

kj::Maybe<kj::Exception> MachineWorkers::whyNot(const Call& call) {
  if (hangsForGood()) return hangsInAll();
  if (waiting >= limits.waiting) {
    return overloaded(kj::str("has ", waiting, " calls waiting, and takes no more: ", call.what));
  }
  KJ_IF_MAYBE (machine, machines.find(call.machine)) {
    if ((*machine)->hangs) {
      return stillHangs(call.machine, call.what);
    }
    if ((*machine)->waiting.size() >= limits.waitingOfMachine) {
      return overloaded(kj::str("has ", (*machine)->waiting.size(), " calls of ", call.machine,
                                " waiting, and takes no more: ", call.what));
    }
  }
  return nullptr;
}

void MachineWorkers::add(kj::Own<Job> job) {
  // No machine has such a name.
  if (job->machine.size() == 0) job->machine = kj::str("/", callsWithoutMachine++);
  auto& machine = *machines.findOrCreate(job->machine, [&]() {
    return decltype(machines)::Entry{kj::str(job->machine), kj::heap<Machine>(job->machine)};
  });
  job->queue = *this;
  const bool hasTurn = !machine.isBusy && machine.waiting.empty();
  if (hasTurn) turns.push_back(&machine);
  machine.waiting.push_back(kj::addRef(*job));
  ++waiting;
  beginNext();
  if (job->queue == nullptr) return;
  wakeWhenForgiven(machine);
  if (hasTurn) notify(*job, turns.size() - 1);
}

void MachineWorkers::withdraw(Job& job) {
  job.queue = nullptr;
  auto& machine = *KJ_ASSERT_NONNULL(machines.find(job.machine));
  for (auto place = machine.waiting.begin(); place != machine.waiting.end(); ++place) {
    if (place->get() != &job) continue;
    auto removed = kj::mv(*place);
    machine.waiting.erase(place);
    --waiting;
    break;
  }
  if (machine.waiting.empty() && !machine.isBusy) {
    for (auto place = turns.begin(); place != turns.end(); ++place) {
      if (*place != &machine) continue;
      turns.erase(place);
      break;
    }
    forgetIdle();
  }
  if (hasNewTurn) return;
  hasNewTurn = true;
  // Not within the destructor of its caller's promise.
  tasks.add(kj::evalLater([this]() { beginNext(); }));
}

kj::Promise<void> MachineWorkers::failUnlessBegun(kj::Own<Job> job) {
  co_await timer.afterDelay(limits.wait);
  if (job->hasBegun) co_await kj::Promise<void>(kj::NEVER_DONE);
  kj::throwFatalException(overloaded(
      kj::str("was busy with other calls for ", limits.wait / kj::SECONDS, " s: ", job->what)));
}

bool MachineWorkers::mayBegin(const Machine& machine) const {
  if (underWay - kj::min(slow, limits.slowCalls) >= limits.threads) return false;
  KJ_IF_MAYBE (until, machine.slowUntil) {
    if (timer.now() < *until) return slow < limits.slowCalls;
  }
  return true;
}

void MachineWorkers::wakeWhenForgiven(const Machine& machine) {
  KJ_IF_MAYBE (until, machine.slowUntil) {
    tasks.add(timer.atTime(*until).then([this]() { beginNext(); }));
  }
}

void MachineWorkers::beginNext() {
  bool hasChanged = hasNewTurn;
  hasNewTurn = false;
  for (size_t i = 0; i < turns.size();) {
    auto& machine = *turns[i];
    if (!mayBegin(machine)) {
      ++i;
      continue;
    }
    turns.erase(turns.begin() + i);
    auto job = kj::mv(machine.waiting.front());
    machine.waiting.pop_front();
    --waiting;
    job->queue = nullptr;
    job->hasBegun = true;
    machine.isBusy = machine.isInCall = true;
    ++underWay;
    hasChanged = true;
    tasks.add(perform(machine, kj::mv(job)));
  }
  if (!hasChanged) return;
  // A listener may drop its call.
  for (size_t i = 0; i < turns.size(); i++) notify(*turns[i]->waiting.front(), i);
}

kj::Own<Worker> MachineWorkers::takeThread() {
  if (idle.empty()) return threads.newWorker(world);
  auto worker = kj::mv(idle.back());
  idle.removeLast();
  return worker;
}

kj::Promise<void> MachineWorkers::perform(Machine& machine, kj::Own<Job> job) {
  bool isAnswered = false;
  KJ_DEFER(if (!isAnswered) job->refuse(noLongerCalled()));
  if (job->hasWaited) tell(*job, [](TurnListener& listener) { listener.begins(); });
  kj::Own<Worker> worker;
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { worker = takeThread(); })) {
    job->refuse(kj::mv(*e));
    isAnswered = true;
    // Not from within beginNext().
    co_await kj::evalLater([]() {});
    finish(machine);
    co_return;
  }
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  bool hasEnded = false;
  // A call that misses its deadline before its thread takes it up is never run.
  auto ended = paf.promise.catch_([](kj::Exception&&) {})
                   .then([&hasEnded, &machine]() {
                     hasEnded = true;
                     machine.isInCall = false;
                   })
                   .fork();
  auto answered = job->perform(*worker, kj::mv(paf.fulfiller)).eagerlyEvaluate(nullptr);

  co_await ended.addBranch().exclusiveJoin(timer.afterDelay(limits.patience));
  const bool isSlow = !hasEnded;
  if (isSlow) {
    ++slow;
    beginNext();
  }
  co_await answered;
  isAnswered = true;
  const bool hangs = !hasEnded;
  if (hangs) {
    noteHang(machine, *job);
    job = nullptr;
    co_await ended.addBranch();
    --hung;
    machine.hangs = false;
  }
  machine.slowUntil = nullptr;
  if (isSlow) {
    --slow;
    machine.slowUntil = timer.now() + SLOW_MEMORY;
  }
  // The thread of a call that has hung is not used again.
  if (!hangs && idle.size() < limits.threads) idle.add(kj::mv(worker));
  finish(machine);
}

void MachineWorkers::noteHang(Machine& hanging, const Job& job) {
  KJ_LOG(ERROR, "a call hangs, and its thread is left to it", world, job.what);
  ++hung;
  hanging.hangs = true;
  hangListener();
  auto refuseAll = [this](Machine& machine, kj::FunctionParam<kj::Exception(const Job&)> why) {
    while (!machine.waiting.empty()) {
      auto refused = kj::mv(machine.waiting.front());
      machine.waiting.pop_front();
      --waiting;
      refused->queue = nullptr;
      refused->refuse(why(*refused));
    }
  };
  refuseAll(hanging, [&](const Job& refused) { return stillHangs(hanging.name, refused.what); });
  if (!hangsForGood()) return;
  turns.clear();
  for (auto& other : machines) {
    refuseAll(*other.value, [this](const Job&) { return hangsInAll(); });
  }
}

bool MachineWorkers::isCalled(kj::StringPtr name) const {
  KJ_IF_MAYBE (machine, machines.find(name)) {
    return (*machine)->isInCall || !(*machine)->waiting.empty();
  }
  return false;
}

void MachineWorkers::finish(Machine& machine) {
  machine.isBusy = machine.isInCall = false;
  --underWay;
  if (!machine.waiting.empty()) {
    turns.push_back(&machine);
    hasNewTurn = true;
    wakeWhenForgiven(machine);
  }
  forgetIdle();
  beginNext();
}

void MachineWorkers::forgetIdle() {
  const auto now = timer.now();
  machines.eraseAll([now](const kj::String&, const kj::Own<Machine>& machine) {
    if (machine->isBusy || !machine->waiting.empty()) return false;
    KJ_IF_MAYBE (until, machine->slowUntil) return *until <= now;
    return true;
  });
}

void MachineWorkers::notify(Job& job, size_t before) {
  job.hasWaited = true;
  tell(job, [before](TurnListener& listener) { listener.waits(before); });
}

void MachineWorkers::tell(Job& job, kj::FunctionParam<void(TurnListener&)> what) {
  KJ_IF_MAYBE (listener, job.listener) {
    // The job may be gone afterwards.
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { what(*listener); })) {
      KJ_LOG(ERROR, "who waits could not be told of a call's turn", world, *e);
    }
  }
}

kj::Exception MachineWorkers::overloaded(kj::StringPtr why) const {
  return kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                       kj::str(world, " ", why));
}

kj::Exception MachineWorkers::stillHangs(kj::StringPtr machine, kj::StringPtr what) const {
  return overloaded(kj::str("still hangs in a call for ", machine, ": ", what));
}

kj::Exception MachineWorkers::hangsInAll() const {
  return overloaded(kj::str("hangs in ", hung, " calls, and no more are made: restart bothyd"));
}

kj::Exception MachineWorkers::noLongerCalled() const {
  return kj::Exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__,
                       kj::str(world, " is not called any more"));
}

void MachineWorkers::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a call is not followed any more", world, exception);
}

}  // namespace bothy
