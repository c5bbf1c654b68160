#include "workspace/workspace-files.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/map.h>
#include <kj/vector.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/failure-of.h"
#include "loop/tree-removal.h"
#include "machine/console-end.h"

namespace bothy {
namespace {

void makeDirectory(kj::StringPtr path, mode_t mode) {
  // Whose disk stands still lets nothing be changed, and bothyd starts all the same.
  struct stat stats;
  if (lstat(path.cStr(), &stats) == 0 && stats.st_mode == (S_IFDIR | mode)) return;
  if (mkdir(path.cStr(), mode) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno, path);
  KJ_SYSCALL(chmod(path.cStr(), mode), path);
}

// A machine's user must pass through to what is its own, and may not look around.
constexpr mode_t PASSAGE = 0711;

constexpr kj::StringPtr LOG_SUFFIX = ".log"_kj;

void removeLog(kj::StringPtr path) {
  if (unlink(path.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno, path);
}

kj::Array<kj::String> entries(kj::StringPtr directory) {
  auto fs = kj::newDiskFilesystem();
  return fs->getRoot().openSubdir(kj::Path::parse(directory.slice(1)))->listNames();
}

void makeFiles(const WorkspaceFiles::Paths& paths) {
  makeDirectory(paths.runtimeDir, PASSAGE);
  removeLog(paths.consoleLog);
  int fd;
  KJ_SYSCALL(fd = open(paths.consoleLog.cStr(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
             paths.consoleLog);
  close(fd);
}

void removeFiles(const WorkspaceFiles::Paths& paths) {
  removeTree(paths.runtimeDir);
  removeLog(paths.consoleLog);
}

kj::String endOfLog(kj::StringPtr path) {
  int raw = open(path.cStr(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (raw < 0) return nullptr;
  kj::AutoCloseFd fd(raw);
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats));
  if (!S_ISREG(stats.st_mode)) return nullptr;
  auto bytes = kj::heapArray<kj::byte>(CONSOLE_END_BYTES);
  off_t begin = kj::max(stats.st_size, off_t(CONSOLE_END_BYTES)) - CONSOLE_END_BYTES;
  ssize_t count;
  KJ_SYSCALL(count = pread(fd, bytes.begin(), bytes.size(), begin));
  return consoleEnd(bytes.slice(0, count));
}

}  // namespace

DiskWorkspaceFiles::DiskWorkspaceFiles(kj::Own<Worker> disk, kj::StringPtr runtimeDir,
                                       kj::StringPtr stateDir)
    : machines(kj::str(runtimeDir, "/vms")),
      consoles(kj::str(stateDir, "/consoles")),
      disk(kj::mv(disk)),
      tasks(*this) {
  makeDirectory(machines, PASSAGE);
  makeDirectory(consoles, PASSAGE);
}

WorkspaceFiles::Paths DiskWorkspaceFiles::paths(kj::StringPtr id) {
  return {kj::str(machines, "/", id), kj::str(consoles, "/", id, LOG_SUFFIX)};
}

kj::Promise<void> DiskWorkspaceFiles::prepare(kj::StringPtr id) {
  readings.erase(id);
  return disk->run([paths = paths(id)]() { makeFiles(paths); });
}

kj::Promise<kj::String> DiskWorkspaceFiles::consoleEnd(kj::StringPtr id) {
  auto& reading = readings.findOrCreate(id, [&]() {
    auto text = disk->run([path = paths(id).consoleLog]() { return endOfLog(path); })
                    .then([](kj::String text) { return kj::refcounted<ConsoleText>(kj::mv(text)); })
                    .fork();
    const auto number = ++lastReading;
    tasks.add(text.addBranch()
                  .ignoreResult()
                  .catch_([](kj::Exception&&) {})
                  .then([this, id = kj::str(id), number]() { forget(id, number); }));
    return decltype(readings)::Entry{kj::str(id), {number, kj::mv(text)}};
  });
  return reading.text.addBranch().then(
      [](kj::Own<ConsoleText> shared) { return kj::str(shared->text); });
}

void DiskWorkspaceFiles::forget(kj::StringPtr id, uint64_t reading) {
  KJ_IF_MAYBE (present, readings.find(id)) {
    if (present->number == reading) readings.erase(id);
  }
}

void DiskWorkspaceFiles::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "the end of a console's reading failed", exception.getDescription());
}

kj::Promise<void> DiskWorkspaceFiles::remove(kj::StringPtr id) {
  readings.erase(id);
  return disk->run([paths = paths(id)]() { removeFiles(paths); });
}

kj::Promise<kj::Array<kj::String>> DiskWorkspaceFiles::removeStrays(IsKnown isKnown) {
  struct Found {
    kj::Array<kj::String> machines, consoles;
  };
  auto found = co_await disk->run([machines = kj::str(machines), consoles = kj::str(consoles)]() {
    return Found{entries(machines), entries(consoles)};
  });
  kj::HashSet<kj::String> strays;
  auto examine = [&](kj::String id) {
    if (!isKnown(id)) strays.upsert(kj::mv(id), [](kj::String&, kj::String&&) {});
  };
  for (auto& id : found.machines) examine(kj::mv(id));
  for (auto& name : found.consoles) {
    if (!name.endsWith(LOG_SUFFIX)) continue;
    examine(kj::heapString(name.slice(0, name.size() - LOG_SUFFIX.size())));
  }
  kj::Vector<kj::String> removed;
  for (auto& id : strays) {
    auto failure = co_await failureOf([&]() { return remove(id); });
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "files of a machine that belongs to no workspace are left", id,
             e->getDescription());
    } else {
      removed.add(kj::str(id));
    }
  }
  co_return removed.releaseAsArray();
}

}  // namespace bothy
