#include "vm/renewable-worker.h"

namespace bothy {

RenewableWorker::RenewableWorker(kj::Timer& timer, kj::StringPtr world, size_t hungLimit)
    : timer(timer), world(kj::str(world)), hungLimit(hungLimit) {}

RenewableWorker::~RenewableWorker() noexcept(false) {}

void RenewableWorker::add(kj::Own<Job> job) {
  if (waiting.size() >= WORKER_QUEUE_LIMIT_JOBS) {
    kj::throwFatalException(overloaded(kj::str("has ", waiting.size(), " calls waiting")));
  }
  waiting.push_back(kj::mv(job));
  if (isServing) return;
  isServing = true;
  serving = serve().eagerlyEvaluate(
      [](kj::Exception&& e) { KJ_LOG(ERROR, "a worker's queue is served no more", e); });
}

kj::Promise<void> RenewableWorker::serve() {
  while (!waiting.empty()) {
    auto job = kj::mv(waiting.front());
    waiting.pop_front();
    if (!job->isWanted()) continue;
    KJ_IF_MAYBE (reason, whyNot(*job)) {
      job->refuse(kj::mv(*reason));
      continue;
    }
    if (worker == nullptr) worker = kj::heap<WorkerThread>(timer, world);
    job->progress->begun = true;
    co_await job->perform(*KJ_ASSERT_NONNULL(worker));
    if (!job->progress->ended) {
      KJ_LOG(ERROR, "a call hangs, and its thread is left to it", world, job->what, job->subject);
      hung.add(Hung{kj::mv(job->subject), kj::mv(job->progress)});
      worker = nullptr;
      hangListener();
    }
  }
  isServing = false;
}

kj::Promise<void> RenewableWorker::failUnlessBegun(kj::Own<const Progress> progress,
                                                   kj::String what, kj::Duration limit) {
  co_await timer.afterDelay(limit);
  if (progress->begun) co_await kj::Promise<void>(kj::NEVER_DONE);
  kj::throwFatalException(
      overloaded(kj::str("was busy with other calls for ", limit / kj::SECONDS, " s: ", what)));
}

kj::Maybe<kj::Exception> RenewableWorker::whyNot(const Job& job) {
  forgetEnded();
  for (auto& call : hung) {
    if (job.subject.size() > 0 && call.subject == job.subject) {
      return overloaded(kj::str("still hangs in a call for ", job.subject, ": ", job.what));
    }
  }
  if (hung.size() >= hungLimit) {
    return overloaded(
        kj::str("hangs in ", hung.size(), " calls, and no more are made: restart bothyd"));
  }
  return nullptr;
}

void RenewableWorker::forgetEnded() {
  kj::Vector<Hung> still;
  for (auto& call : hung) {
    if (!call.progress->ended) still.add(kj::mv(call));
  }
  hung = kj::mv(still);
}

kj::Exception RenewableWorker::overloaded(kj::StringPtr why) {
  return kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                       kj::str(world, " ", why));
}

}  // namespace bothy
