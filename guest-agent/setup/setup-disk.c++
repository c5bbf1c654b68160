#include "setup/setup-disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/text-file.h"

namespace bothy {
namespace {

constexpr kj::StringPtr JOURNAL = "journal"_kj, NEW_JOURNAL = "journal.new"_kj;
constexpr kj::StringPtr ID = "id "_kj, DONE = "done "_kj, BEGUN = "begun "_kj,
                        FAILED = "failed "_kj, END = "end"_kj;
// The journal is nobody's but the agent's.
constexpr mode_t JOURNAL_MODE = 0700, LOG_DIRECTORY_MODE = 0755, PUBLIC_LOG_MODE = 0644,
                 PRIVATE_LOG_MODE = 0600;

kj::String nameOfLog(uint32_t step) {
  return kj::str(step + 1, ".log");
}

kj::Maybe<kj::StringPtr> after(kj::StringPtr line, kj::StringPtr word) {
  if (!line.startsWith(word)) return nullptr;
  return line.slice(word.size());
}

void writeAll(int fd, kj::StringPtr text) {
  auto rest = text.asBytes();
  while (rest.size() > 0) {
    const auto count = write(fd, rest.begin(), rest.size());
    if (count < 0 && errno != EINTR) KJ_FAIL_SYSCALL("write(journal)", errno);
    if (count > 0) rest = rest.slice(count, rest.size());
  }
}

}  // namespace

SetupDisk::SetupDisk(kj::StringPtr journalDirectory, kj::StringPtr logDirectory,
                     kj::Function<void()> between)
    : journalDirectory(kj::str(journalDirectory)),
      logDirectory(kj::str(logDirectory)),
      between(kj::mv(between)) {}

SetupDisk::~SetupDisk() noexcept(false) {}

kj::AutoCloseFd SetupDisk::openDirectory(kj::StringPtr path, mode_t mode) {
  // Those above it too.
  for (size_t i = 1; i <= path.size(); i++) {
    if (i < path.size() && path[i] != '/') continue;
    auto part = kj::heapString(path.slice(0, i));
    const bool isLast = i == path.size();
    if (mkdir(part.cStr(), isLast ? mode : 0755) < 0 && errno != EEXIST) {
      KJ_FAIL_SYSCALL("mkdir()", errno, part);
    }
  }
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), path);
  return kj::AutoCloseFd(fd);
}

SetupState SetupDisk::load(kj::StringPtr id) {
  auto text = readTextFile(kj::str(journalDirectory, '/', JOURNAL));
  SetupState state;
  bool isOurs = false, isWhole = false;
  Lines lines(text.asArray());
  for (auto next = lines.next(); next != nullptr; next = lines.next()) {
    auto line = kj::heapString(KJ_ASSERT_NONNULL(next));
    KJ_IF_MAYBE (of, after(line, ID)) isOurs = *of == id;
    KJ_IF_MAYBE (count, after(line, DONE)) state.done = count->tryParseAs<uint32_t>().orDefault(0);
    KJ_IF_MAYBE (count, after(line, BEGUN))
      state.begun = count->tryParseAs<uint32_t>().orDefault(0);
    KJ_IF_MAYBE (failure, after(line, FAILED)) state.failure = StepFailure::parse(*failure);
    isWhole = line == END;
  }
  if (!isOurs || !isWhole) return {};
  return state;
}

void SetupDisk::save(kj::StringPtr id, const SetupState& state) {
  between();
  auto directory = openDirectory(journalDirectory, JOURNAL_MODE);
  kj::String failed;
  KJ_IF_MAYBE (failure, state.failure) failed = kj::str(FAILED, failure->line(), '\n');
  auto text =
      kj::str(ID, id, '\n', DONE, state.done, '\n', BEGUN, state.begun, '\n', failed, END, '\n');
  between();
  // What a step has written is on the disk before the journal says that the step is done.
  KJ_SYSCALL(syncfs(directory));
  between();
  int fd;
  KJ_SYSCALL(fd = openat(directory, NEW_JOURNAL.cStr(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  kj::AutoCloseFd journal(fd);
  between();
  writeAll(journal, text);
  between();
  KJ_SYSCALL(fsync(journal));
  between();
  KJ_SYSCALL(renameat(directory, NEW_JOURNAL.cStr(), directory, JOURNAL.cStr()));
  between();
  KJ_SYSCALL(fsync(directory));
}

void SetupDisk::beginLog(uint32_t step, Readers readers) {
  log = nullptr;
  logStep = step;
  logReaders = readers;
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([this]() { openLog(); })) {
    KJ_LOG(WARNING, "a step of the set-up has no log", logStep + 1, e->getDescription());
  }
}

void SetupDisk::openLog() {
  auto directory = openDirectory(logDirectory, LOG_DIRECTORY_MODE);
  auto name = nameOfLog(logStep);
  struct stat earlier;
  if (fstatat(directory, name.cStr(), &earlier, AT_SYMLINK_NOFOLLOW) == 0 && earlier.st_size > 0) {
    KJ_SYSCALL(renameat(directory, name.cStr(), directory, kj::str(name, ".old").cStr()));
  }
  const auto mode = logReaders == Readers::EVERYBODY ? PUBLIC_LOG_MODE : PRIVATE_LOG_MODE;
  int fd;
  KJ_SYSCALL(fd = openat(directory, name.cStr(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode));
  log = kj::AutoCloseFd(fd);
  KJ_SYSCALL(fchmod(fd, mode));
  logBytes = 0;
}

void SetupDisk::append(kj::ArrayPtr<const kj::byte> bytes) {
  if (log == nullptr) return;
  if (logBytes > 0 && logBytes + bytes.size() > rpc::MAX_SETUP_LOG_BYTES) {
    beginLog(logStep, logReaders);
    if (log == nullptr) return;
  }
  const auto count = write(log, bytes.begin(), bytes.size());
  if (count > 0) logBytes += count;
}

}  // namespace bothy
