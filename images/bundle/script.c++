#include "bundle/script.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/vector.h>

#include "fault/fault.h"

namespace bothy {
namespace {

constexpr uint64_t MAX_OUTPUT_BYTES = 1 << 20;

class SpawnActions {
public:
  SpawnActions() { KJ_ASSERT(posix_spawn_file_actions_init(&actions) == 0); }
  ~SpawnActions() noexcept { posix_spawn_file_actions_destroy(&actions); }
  KJ_DISALLOW_COPY_AND_MOVE(SpawnActions);

  void duplicate(int fd, int asFd) {
    KJ_ASSERT(posix_spawn_file_actions_adddup2(&actions, fd, asFd) == 0);
  }
  const posix_spawn_file_actions_t* get() const { return &actions; }

private:
  posix_spawn_file_actions_t actions;
};

kj::StringPtr lastLine(kj::String& output) {
  size_t end = output.size();
  while (end > 0 && output[end - 1] == '\n') output[--end] = '\0';
  kj::StringPtr text(output.cStr(), end);
  KJ_IF_MAYBE (position, text.findLast('\n')) return text.slice(*position + 1);
  return text;
}

}  // namespace

kj::String runScript(kj::ArrayPtr<const kj::StringPtr> command) {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd readEnd(ends[0]);
  kj::AutoCloseFd writeEnd(ends[1]);

  SpawnActions actions;
  actions.duplicate(writeEnd, STDOUT_FILENO);
  kj::Vector<char*> arguments;
  for (auto argument : command) arguments.add(const_cast<char*>(argument.cStr()));
  arguments.add(nullptr);
  pid_t pid;
  int error = posix_spawn(&pid, arguments[0], actions.get(), nullptr, arguments.begin(), environ);
  if (error != 0) fail(kj::str("cannot run ", command[0], ": ", strerror(error)));

  // Every way out waits for the child: what it holds (locks, mounts) ends with it.
  int status = 0;
  writeEnd = nullptr;
  auto output = [&] {
    KJ_DEFER({
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
    });
    return kj::FdInputStream(readEnd.get()).readAllText(MAX_OUTPUT_BYTES);
  }();
  // The reason has been told by the script itself.
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(kj::str(command[0], " failed"));
  auto line = lastLine(output);
  if (line.size() == 0) fail(kj::str(command[0], " printed no directory"));
  return kj::str(line);
}

}  // namespace bothy
