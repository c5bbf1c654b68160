#include "bench/floor-machine.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "support/host-program.h"
#include "vm/kernel-arguments.h"

namespace bothy {
namespace {

constexpr size_t READ_BYTES = 4096;
constexpr size_t LAST_WORDS_BYTES = 2048;

// The program's output and errors go to `out`.
pid_t startProgram(kj::ArrayPtr<const kj::StringPtr> words, int out) {
  kj::Vector<char*> argv;
  for (auto word : words) argv.add(const_cast<char*>(word.cStr()));
  argv.add(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  KJ_DEFER(posix_spawn_file_actions_destroy(&actions));
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, out, 2);
  pid_t pid;
  int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.begin(), environ);
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawnp", error, words[0]);
  return pid;
}

}  // namespace

FloorMachine::FloorMachine(kj::StringPtr initramfs, uint32_t memoryMib, kj::Duration limit,
                           kj::ArrayPtr<const kj::StringPtr> arguments)
    : deadline(kj::systemPreciseMonotonicClock().now() + limit) {
  int fds[2];
  KJ_SYSCALL(pipe2(fds, O_CLOEXEC));
  console = kj::AutoCloseFd(fds[0]);
  kj::AutoCloseFd out(fds[1]);

  auto memory = kj::str(memoryMib);
  auto appended = kernelArguments(1);
  kj::Vector<kj::StringPtr> words;
  // setpriv becomes QEMU: a bench that is killed leaves none behind.
  words.addAll(kj::ArrayPtr<const kj::StringPtr>({"setpriv"_kj, "--pdeathsig"_kj, "KILL"_kj}));
  words.addAll(kj::ArrayPtr<const kj::StringPtr>({"qemu-system-x86_64"_kj,
                                                  "-machine"_kj,
                                                  "q35"_kj,
                                                  "-accel"_kj,
                                                  "tcg"_kj,
                                                  "-smp"_kj,
                                                  "1"_kj,
                                                  "-m"_kj,
                                                  memory,
                                                  "-nodefaults"_kj,
                                                  "-no-user-config"_kj,
                                                  "-display"_kj,
                                                  "none"_kj,
                                                  "-no-reboot"_kj,
                                                  "-serial"_kj,
                                                  "stdio"_kj,
                                                  "-bios"_kj,
                                                  "/usr/share/qemu/qboot.rom"_kj,
                                                  "-kernel"_kj,
                                                  BOTHY_IMAGES "/base/vmlinux"_kj,
                                                  "-initrd"_kj,
                                                  initramfs,
                                                  "-append"_kj,
                                                  appended}));
  words.addAll(arguments);
  pid = startProgram(words, out);
}

FloorMachine::~FloorMachine() noexcept {
  kill(pid, SIGKILL);
  int status;
  waitpid(pid, &status, 0);
}

kj::String FloorMachine::readLine() {
  for (;;) {
    auto end = std::find(said.begin() + taken, said.end(), '\n');
    if (end == said.end()) {
      receive();
      continue;
    }
    auto begin = said.begin() + taken;
    taken = end - said.begin() + 1;
    // A terminal's line ends with both.
    if (end > begin && end[-1] == '\r') --end;
    return kj::heapString(begin, end - begin);
  }
}

void FloorMachine::receive() {
  auto left = (deadline - kj::systemPreciseMonotonicClock().now()) / kj::MILLISECONDS;
  struct pollfd readable = {console.get(), POLLIN, 0};
  int ready;
  KJ_SYSCALL(ready = poll(&readable, 1, std::max<int64_t>(left, 0)));
  KJ_REQUIRE(ready == 1, "the machine takes too long", lastWords());
  char buffer[READ_BYTES];
  ssize_t n;
  KJ_SYSCALL(n = read(console, buffer, sizeof(buffer)));
  KJ_REQUIRE(n > 0, "QEMU ended", lastWords());
  said.addAll(buffer, buffer + n);
  KJ_REQUIRE(said.size() <= MOST_CONSOLE_BYTES, "the machine says too much", lastWords());
}

kj::String FloorMachine::lastWords() const {
  size_t size = std::min(said.size(), LAST_WORDS_BYTES);
  return kj::heapString(said.end() - size, size);
}

kj::String makeFloorInitramfs(kj::StringPtr directory, kj::StringPtr init) {
  auto path = kj::str(directory, "/floor.cpio");
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("mkdir -p ", directory, "/floor/dev && cd ", directory, "/floor && cp ", init,
                      " init && (test -e dev/console || mknod dev/console c 5 1) && find . "
                      "| cpio -o -H newc --quiet > ",
                      path)});
  return path;
}

}  // namespace bothy
