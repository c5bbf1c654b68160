#pragma once

#include <deque>

#include <kj/async.h>
#include <kj/function.h>
#include <kj/map.h>
#include <kj/one-of.h>
#include <kj/refcount.h>
#include <kj/timer.h>

#include "process/command.h"

namespace bothy {

// The starts of programs, of commands or on terminals, by the request ids of those who asked for them: each is carried out
// once, however often and over however many connections it is asked for.
class RequestedStarts final: public kj::Refcounted {
public:
  // What became of a start: the id by which the program is had, or why there is none.
  struct Result final: public kj::Refcounted {
    using Outcome = kj::OneOf<uint64_t, StartFailure>;
    explicit Result(Outcome outcome) : outcome(kj::mv(outcome)) {}
    const Outcome outcome;
    kj::Own<Result> addRef() { return kj::addRef(*this); }
  };

  explicit RequestedStarts(kj::Timer& timer) : timer(timer) {}
  KJ_DISALLOW_COPY_AND_MOVE(RequestedStarts);

  // Calls `start` unless it was called for this id before, and returns its result to each.  What it began is completed also
  // when all promises are dropped.
  kj::Promise<kj::Own<Result>> once(kj::StringPtr requestId,
                                    kj::FunctionParam<kj::Promise<Result::Outcome>()> start);

  // For whoever gives starts and goes: those that are under way are given up.  None may be the caller.
  void giveUp();

  // The program of this id cannot be had any more.
  void programIsGone(kj::StringPtr requestId);

  // The ids that are remembered.
  size_t count() const { return starts.size(); }

  kj::Own<RequestedStarts> addRef() { return kj::addRef(*this); }

private:
  struct Gone {
    kj::String requestId;
    kj::TimePoint since;
  };

  kj::Timer& timer;
  // Those without a program, oldest first: rpc::REQUEST_MEMORY_MILLIS long, at most rpc::MAX_REMEMBERED_REQUESTS.
  std::deque<Gone> gone;
  bool isForgetting = false;
  kj::Promise<void> forgetting = nullptr;
  kj::HashMap<kj::String, kj::ForkedPromise<kj::Own<Result>>> starts;

  kj::Promise<kj::Own<Result>> run(kj::String requestId, kj::Promise<Result::Outcome> starting);
  void forgetOld();
  // Until none is left that may be forgotten.
  kj::Promise<void> forgetInTime();
};

}  // namespace bothy
