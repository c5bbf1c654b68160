#include "files/background-removal.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <time.h>

#include "files/tree-removal.h"

namespace bothy {
namespace {

constexpr kj::StringPtr OPTION = "--removal-worker"_kj;
constexpr int DIRECTORY_FD = 0;

}  // namespace

kj::Promise<int> removeInBackground(Programs& programs, kj::AutoCloseFd parent, kj::String name) {
  int fd;
  KJ_SYSCALL(fd = open("/dev/null", O_RDWR | O_CLOEXEC));
  kj::AutoCloseFd nothing(fd);
  auto tree = programs.trees.create();
  auto outcome = co_await programs.spawner.spawn(SpawnRequest{
      .programs = kj::arr(kj::str("/proc/self/exe")),
      .arguments = kj::arr(kj::str("bothy-removal"), kj::str(OPTION), kj::mv(name)),
      .environment = nullptr,
      .workingDirectory = kj::str("/"),
      .credentials = nullptr,
      .standardFds = {parent, nothing, nothing},
      .cgroupFd = tree->cgroupFd(),
  });
  KJ_IF_MAYBE (failure, outcome.tryGet<SpawnFailure>()) co_return failure->errorNumber;
  auto& process = outcome.get<SpawnedProcess>();
  tree->adopt(process.pid);
  KJ_DEFER(if (programs.reaper.isAlive(process.pid)) tree->kill());
  auto status = co_await process.exit;
  co_return status.kind == ExitStatus::Kind::EXITED ? status.number : ECANCELED;
}

bool isRemovalWorker(int argc, const char* const* argv) {
  return argc == 3 && kj::StringPtr(argv[1]) == OPTION;
}

int removalWorkerMain(const char* const* argv) {
  TreeRemoval removal(kj::AutoCloseFd(DIRECTORY_FD), kj::str(argv[2]));
  for (;;) {
    auto result = removal.step(REMOVED_AT_A_TIME);
    KJ_IF_MAYBE (done, result) {
      KJ_IF_MAYBE (problem, done->tryGet<FileProblem>()) {
        return problem->errorNumber != 0 ? problem->errorNumber : EIO;
      }
      return 0;
    }
    const timespec pause = {0, REMOVAL_PAUSE / kj::NANOSECONDS};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace bothy
