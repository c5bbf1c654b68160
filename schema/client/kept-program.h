#pragma once

#include <kj/one-of.h>

#include "client/program-feed.h"
#include "client/program-output.h"
#include "client/reconnection.h"
#include "schema/process.capnp.h"

namespace bothy {

// A program of a workspace from its start to its end, over as many lanes as it takes.  It is started once, however often its start
// had to be asked for, and each byte of its input and outputs goes once: after a lost lane it is had again, at the place that
// both sides have reached.
class KeptProgram final {
public:
  // What it writes and reads.  What came belongs to these, and is not lost with a lane.
  struct Streams {
    ProgramOutput& output;
    ProgramOutput& errors;
    ProgramFeed& input;
  };

  // The patience for a Reconnection: after it the agent has ended the program.
  static constexpr auto KEPT_FOR = rpc::PROCESS_KEEP_MILLIS * kj::MILLISECONDS;

  // All that is borrowed outlives it.
  KeptProgram(Reconnection& reconnection, kj::Timer& timer, Streams streams);
  KJ_DISALLOW_COPY_AND_MOVE(KeptProgram);

  using Ended = capnp::Response<rpc::Process::WaitResults>;
  // Nothing runs: its outcome says why.
  using NotStarted = capnp::Response<rpc::Processes::ExecResults>;
  // It cannot be had any more, because it was away for too long or the workspace was started anew: it was ended, and how far it
  // came is not known.
  struct Lost {};
  using End = kj::OneOf<Ended, NotStarted, Lost>;

  // Starts it and returns how it ended; all of its output was received then, and end() is to be called when it is written.
  // `onStart` is told what it was started with.  Fails as Reconnection does, and with what broke that is no lane.  Call once.
  kj::Promise<End> follow(kj::Function<void(rpc::Command::Builder)> fill,
                          kj::Function<void(rpc::Processes::ExecOutcome::Reader)> onStart);

  // Whether its start was answered, and no lane was lost since.
  bool isReached() const { return current != nullptr; }
  // Signals it and all that it has started, as a terminal would.  It must be reached.
  kj::Promise<void> signal(uint8_t number);

  // Ends it, or has it forgotten where it has ended: the agent remembers only so many of those that nobody holds.  Where that cannot be
  // told to the agent within END_LIMIT, it does so itself after KEPT_FOR.  Never fails.
  kj::Promise<void> end();

  static constexpr auto END_LIMIT = 2 * kj::SECONDS;

private:
  // The lane over which it is followed.
  struct Attached {
    kj::Own<WorkspaceLane> lane;
    kj::Promise<Ended> waiting;
    kj::Promise<void> feeding;
  };

  kj::Promise<void> start(kj::Own<WorkspaceLane> lane,
                          kj::Function<void(rpc::Command::Builder)>& fill,
                          kj::Function<void(rpc::Processes::ExecOutcome::Reader)>& onStart);
  kj::Promise<void> reattach(kj::Own<WorkspaceLane> lane);
  kj::Promise<Ended> waitFor(rpc::Process::Client& process);
  kj::Promise<kj::Maybe<Ended>> untilEndOrLoss();
  kj::Promise<void> feed(rpc::ByteSink::Client sink, uint64_t from);

  Reconnection& reconnection;
  kj::Timer& timer;
  Streams streams;
  const kj::String requestId;
  uint32_t attempts = 0;  // to start it, or to have it again
  // Of the boot in which its start was asked for, once that may have been heard.
  kj::Maybe<int64_t> startedNanos;
  uint64_t id = 0;
  // What the last attempt found, where there is nothing to be followed.
  kj::Maybe<End> unfollowed;
  kj::Maybe<Attached> current;
  // From the moment when its start is asked for; none while the lane is lost.
  kj::Maybe<rpc::Process::Client> process;
};

}  // namespace bothy
