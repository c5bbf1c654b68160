#pragma once

#include <kj/async-io.h>
#include <kj/list.h>

#include "file-worker/file-workers.h"
#include "lane/lane.h"
#include "rpc/test-notes.h"
#include "schema/files.capnp.h"
#include "tree/test-directory.h"

namespace bothy {

// Real workers, which serve real lanes, for programs whose time the test makes pass.
struct FileWorkerWorld {
  FileWorkerWorld();

  // A lane for files, as the supervisor's dialling made it.
  struct TestLane {
    LaneGrant grant;
    kj::Maybe<kj::Own<FileLanes::OfUser>> ofUser;
    kj::Own<Lane> client;
    kj::Promise<void> served = nullptr;
    bool hasEnded = false;  // on the agent's side
    rpc::Files::Client files() { return client->bootstrap().castAs<rpc::Files>(); }
  };

  TestDirectory world;  // holds etc/, and home/, the user's
  kj::AsyncIoContext io;
  kj::WaitScope& scope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  RecordingLog log;  // what is noted of lanes
  uint lanesOpened = 0;
  ActionShares shares{log, io.provider->getTimer(), kj::systemCoarseCalendarClock()};
  Programs programs;
  FileWorkers workers;
  uid_t uid;  // of "tester", who is root's stand-in for a user where the test is root

  kj::Own<TestLane> open(kj::StringPtr user = "tester");
  // Beneath a directory below `world`.
  kj::Own<TestLane> openBeneath(kj::StringPtr directory, LaneGrant::Verbs verbs);
  kj::Own<TestLane> serve(kj::Own<TestLane> lane);
  // That of a lane that is served: the process at the other end says.
  pid_t workerOf(TestLane& lane);
  // Whether a call is answered, within a time that is long.
  bool answers(TestLane& lane);
  kj::Maybe<rpc::Refusal> refusal(kj::StringPtr user = "tester");

  void pass(kj::Duration time);
  // Waits until `condition` holds, for a real time that is long.
  bool until(kj::Function<bool()> condition);

  // Until no lane waits for its worker.
  void awaitTaken();

  // Processes that are children of this one and file workers, but not zombies.
  kj::Vector<pid_t> processes();
};

}  // namespace bothy
