#include "bench/boot-floor.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/time.h>
#include <kj/vector.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/host-program.h"

namespace bothy {

double bootFloorMillis(kj::StringPtr directory, uint32_t memoryMib) {
  auto initramfs = kj::str(directory, "/floor.cpio");
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("mkdir -p ", directory, "/floor/dev && cd ", directory,
                      "/floor && cp " BOTHY_FLOOR_INIT
                      " init && (test -e dev/console || mknod dev/console c 5 1) && find . "
                      "| cpio -o -H newc --quiet > ",
                      initramfs)});
  int fds[2];
  KJ_SYSCALL(pipe2(fds, O_CLOEXEC));
  kj::AutoCloseFd out(fds[0]);
  kj::AutoCloseFd in(fds[1]);

  auto memory = kj::str(memoryMib);
  const char* const kernel = BOTHY_IMAGES "/base/vmlinux";
  const char* const argv[] = {"qemu-system-x86_64",
                              "-machine",
                              "q35",
                              "-accel",
                              "tcg",
                              "-smp",
                              "1",
                              "-m",
                              memory.cStr(),
                              "-nodefaults",
                              "-no-user-config",
                              "-display",
                              "none",
                              "-no-reboot",
                              "-serial",
                              "stdio",
                              "-bios",
                              "/usr/share/qemu/qboot.rom",
                              "-kernel",
                              kernel,
                              "-initrd",
                              initramfs.cStr(),
                              "-append",
                              "console=ttyS0 quiet panic=-1 noreplace-smp",
                              nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  KJ_DEFER(posix_spawn_file_actions_destroy(&actions));
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, in, 1);
  auto begin = kj::systemPreciseMonotonicClock().now();
  pid_t pid;
  int error =
      posix_spawnp(&pid, argv[0], &actions, nullptr, const_cast<char* const*>(argv), environ);
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawnp", error, argv[0]);
  in = nullptr;
  KJ_DEFER({
    kill(pid, SIGKILL);
    int status;
    waitpid(pid, &status, 0);
  });

  kj::FdInputStream stream(out.get());
  kj::Vector<char> console;
  for (;;) {
    char byte;
    KJ_REQUIRE(stream.tryRead(&byte, 1, 1) == 1, "QEMU ended", kj::heapString(console));
    console.add(byte);
    if (console.size() >= 5 && memcmp(console.end() - 5, "floor", 5) == 0) break;
  }
  return (kj::systemPreciseMonotonicClock().now() - begin) / kj::MICROSECONDS / 1000.0;
}

}  // namespace bothy
