#pragma once

#include <kj/vector.h>

#include "file-worker/file-worker.h"

namespace bothy {

// Workers of a machine that have not ended, and those of one user: another is started beside one that hangs.
constexpr uint MAX_FILE_WORKERS = 6;
constexpr uint MAX_USER_FILE_WORKERS = 2;

// After a start that failed, before the next for the same user.
constexpr kj::Duration START_RETRY = 1 * kj::SECONDS;

// Serves lanes for files in processes of their users, one a user: see FileWorker.
class FileWorkers final: public FileLanes, private kj::TaskSet::ErrorHandler {
public:
  // `programs` outlives it.
  explicit FileWorkers(Programs& programs);
  ~FileWorkers() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FileWorkers);

  kj::OneOf<kj::Own<OfUser>, rpc::Refusal> find(const LaneGrant& grant) override;

  // Those that have not ended.
  size_t count() const { return workers.size(); }
  // Lanes that none of them has received.
  size_t untaken();

private:
  class UserFiles;

  Programs& programs;
  kj::Vector<kj::Own<FileWorker>> workers;  // the oldest first
  // The last that failed.
  struct FailedStart {
    uid_t uid;
    kj::TimePoint when;
  };
  kj::Maybe<FailedStart> failedStart;
  kj::TaskSet running;

  // One that takes lanes of this user.
  kj::Maybe<FileWorker&> workerOf(const User& user);
  // Makes room where it can, for the next who asks.
  bool hasRoomFor(const User& user);
  kj::Promise<kj::Maybe<kj::String>> serve(const User& user, FileLane&& lane,
                                           kj::Own<VsockStream> stream);
  FileWorker& start(const User& user);
  kj::Promise<void> run(kj::Own<FileWorker> worker, uid_t uid);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
