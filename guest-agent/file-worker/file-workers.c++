#include "file-worker/file-workers.h"

#include <kj/debug.h>

#include "wire/socket-stream.h"

namespace bothy {
namespace {

// The stream has nothing of the lane but the descriptor: of what follows the Grant no byte was read.
kj::AutoCloseFd descriptorOf(kj::Own<VsockStream> stream) {
  return duplicateSocket(KJ_REQUIRE_NONNULL(stream->getFd(), "a lane that is no socket"));
}

}  // namespace

class FileWorkers::UserFiles final: public OfUser {
public:
  UserFiles(FileWorkers& workers, User user) : workers(workers), user(kj::mv(user)) {}
  kj::Promise<kj::Maybe<kj::String>> serve(FileLane lane, kj::Own<VsockStream> stream) override {
    return workers.serve(user, kj::mv(lane), kj::mv(stream));
  }

private:
  FileWorkers& workers;
  const User user;
};

FileWorkers::FileWorkers(Programs& programs) : programs(programs), running(*this) {}

FileWorkers::~FileWorkers() noexcept(false) {}

kj::Maybe<FileWorker&> FileWorkers::workerOf(const User& user) {
  for (auto& worker : workers) {
    if (worker->isOf(user) && worker->takesLanes()) return *worker;
  }
  return nullptr;
}

kj::OneOf<kj::Own<FileLanes::OfUser>, rpc::Refusal> FileWorkers::find(const LaneGrant& grant) {
  auto found = programs.users.find(grant.user.size() == 0 ? programs.options.defaultUser.asPtr()
                                                          : grant.user);
  KJ_IF_MAYBE (user, found) {
    if (workerOf(*user) == nullptr && !hasRoomFor(*user)) return rpc::Refusal::UNAVAILABLE;
    return kj::Own<OfUser>(kj::heap<UserFiles>(*this, kj::mv(*user)));
  }
  return rpc::Refusal::NO_SUCH_USER;
}

bool FileWorkers::hasRoomFor(const User& user) {
  KJ_IF_MAYBE (failed, failedStart) {
    if (failed->uid == user.uid && programs.timer.now() - failed->when < START_RETRY) return false;
  }
  uint theirs = 0;
  for (auto& worker : workers) {
    if (worker->isOf(user.uid)) ++theirs;
  }
  if (theirs >= MAX_USER_FILE_WORKERS) {
    for (auto& worker : workers) {
      if (!worker->isOf(user.uid) || !worker->hangs()) continue;
      worker->kill();
      break;
    }
    return false;
  }
  if (workers.size() < MAX_FILE_WORKERS) return true;
  for (auto& worker : workers) {
    if (!worker->takesLanes() || worker->hasLanes()) continue;
    worker->end();
    break;
  }
  return false;
}

kj::Promise<kj::Maybe<kj::String>> FileWorkers::serve(const User& user, FileLane&& lane,
                                                      kj::Own<VsockStream> stream) {
  kj::Maybe<FileWorker&> worker = workerOf(user);
  if (worker == nullptr) {
    // Others may have come since find().
    if (!hasRoomFor(user)) {
      lane.note->count({});
      return kj::Maybe<kj::String>();
    }
    worker = start(user);
  }
  return KJ_ASSERT_NONNULL(worker).serve(kj::mv(lane), user.home, descriptorOf(kj::mv(stream)));
}

size_t FileWorkers::untaken() {
  size_t result = 0;
  for (auto& worker : workers) result += worker->untaken();
  return result;
}

FileWorker& FileWorkers::start(const User& user) {
  auto worker = kj::refcounted<FileWorker>(
      programs, SpawnRequest::Credentials{user.uid, user.gid, kj::heapArray(user.groups.asPtr())});
  auto& result = *worker;
  workers.add(kj::addRef(result));
  running.add(run(kj::mv(worker), user.uid));
  return result;
}

kj::Promise<void> FileWorkers::run(kj::Own<FileWorker> worker, uid_t uid) {
  KJ_DEFER({
    kj::Vector<kj::Own<FileWorker>> others;
    for (auto& other : workers) {
      if (other.get() != worker.get()) others.add(kj::mv(other));
    }
    workers = kj::mv(others);
  });
  if (!co_await worker->run()) failedStart = FailedStart{uid, programs.timer.now()};
}

void FileWorkers::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a file worker is lost", exception);
}

}  // namespace bothy
