// The floor that exec, echo and file figures are measured against: a guest program that does over a
// vsock the least that the agent must do.  The first byte of a connection says what:
//   e  every byte that comes goes back
//   x  for every byte that comes, /bin/true is run to its end and a byte goes back
//   X  as x, and each runs in a control group of its own, made beforehand, of which is read what it took
//   w  8 bytes say how many bytes come; when they have, the 8 bytes go back
//   r  8 bytes say how many bytes are sent
//   W  as w, and the bytes are written to a file on the workspace's disk, and flushed to it before the 8 bytes go back
//   R  as r, and the bytes are those of the file that W wrote, which has as many; the file is removed
//   m, M  as W and R, with a file in memory
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  PEER_PORT = 2000,
  CHUNK_BYTES = 262144,
  WRITE_BYTES = 32256,  // as the agent's: see MAX_VSOCK_WRITE_BYTES
  BUFFER_BYTES = 8 * 1024 * 1024
};

static char buffer[CHUNK_BYTES];
static const char* const DISK_PATH = "/var/tmp/peer";
static const char* const MEMORY_PATH = "/dev/shm/peer";

static void sendAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size < WRITE_BYTES ? size : WRITE_BYTES);
    if (n <= 0) exit(1);
    data += n;
    size -= n;
  }
}

static int openFile(const char* path, int flags) {
  int file = open(path, flags | O_CLOEXEC, 0600);
  if (file < 0) {
    perror(path);
    exit(1);
  }
  return file;
}

// `path`: where the bytes go; NULL: nowhere.
static void receive(int fd, const char* path) {
  uint64_t count = 0;
  ssize_t n;
  if (read(fd, &count, sizeof(count)) != sizeof(count)) return;
  int file = path == NULL ? -1 : openFile(path, O_WRONLY | O_CREAT | O_TRUNC);
  for (uint64_t got = 0; got < count; got += n) {
    n = read(fd, buffer, sizeof(buffer));
    if (n <= 0) exit(1);
    if (path != NULL && write(file, buffer, n) != n) exit(1);
  }
  if (path != NULL && (fsync(file) != 0 || close(file) != 0)) exit(1);
  sendAll(fd, (char*)&count, sizeof(count));
}

// `path`: whose bytes are sent, and which is removed then; NULL: any.
static void transmit(int fd, const char* path) {
  uint64_t count = 0;
  if (read(fd, &count, sizeof(count)) != sizeof(count)) return;
  int file = path == NULL ? -1 : openFile(path, O_RDONLY);
  while (count > 0) {
    size_t size = count < sizeof(buffer) ? count : sizeof(buffer);
    if (path != NULL && read(file, buffer, size) != (ssize_t)size) exit(1);
    sendAll(fd, buffer, size);
    count -= size;
  }
  if (path != NULL) {
    close(file);
    unlink(path);
  }
}

static char* const TRUE_ARGUMENTS[] = {"/bin/true", NULL};
static char* const NO_ENVIRONMENT[] = {NULL};

static void awaitTrue(pid_t pid) {
  int status;
  if (waitpid(pid, &status, 0) != pid || status != 0) exit(1);
}

// A control group among those of commands, with the files that tell what was taken.
struct Group {
  char path[64];
  int directory;
  int counts[3];
};

static struct Group makeGroup(unsigned number) {
  static const char* const FILES[3] = {"cpu.stat", "memory.peak", "memory.events"};
  struct Group group;
  snprintf(group.path, sizeof(group.path), "/sys/fs/cgroup/commands/peer-%u", number);
  if (mkdir(group.path, 0755) != 0) {
    perror(group.path);
    exit(1);
  }
  group.directory = openFile(group.path, O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 3; i++) {
    group.counts[i] = openat(group.directory, FILES[i], O_RDONLY | O_CLOEXEC);
    if (group.counts[i] < 0) exit(1);
  }
  return group;
}

static void removeGroup(const struct Group* group) {
  for (int i = 0; i < 3; i++) close(group->counts[i]);
  close(group->directory);
  // The kernel may see the program in it a moment longer.
  while (rmdir(group->path) != 0 && errno == EBUSY) {
  }
}

// As vfork(2), whose child calls nothing but execve(2).
static inline __attribute__((always_inline)) long cloneInto(struct clone_args* arguments) {
#if defined(__x86_64__)
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_clone3), "D"(arguments), "S"(sizeof(*arguments))
                   : "rcx", "r11", "memory");
  return result;
#else
  return syscall(SYS_clone3, arguments, sizeof(*arguments));
#endif
}

static void runTrueIn(const struct Group* group) {
  struct clone_args arguments = {
      .flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
      .exit_signal = SIGCHLD,
      .cgroup = group->directory,
  };
  long pid = cloneInto(&arguments);
  if (pid == 0) {
    execve(TRUE_ARGUMENTS[0], TRUE_ARGUMENTS, NO_ENVIRONMENT);
    _exit(1);
  }
  if (pid < 0) exit(1);
  awaitTrue((pid_t)pid);
  char text[256];
  for (int i = 0; i < 3; i++) {
    if (pread(group->counts[i], text, sizeof(text), 0) <= 0) exit(1);
  }
}

static void serve(int fd) {
  char mode;
  if (read(fd, &mode, 1) != 1) return;
  ssize_t n;
  char byte;
  switch (mode) {
    case 'e':
      while ((n = read(fd, buffer, sizeof(buffer))) > 0) sendAll(fd, buffer, n);
      break;
    case 'x':
      while (read(fd, &byte, 1) == 1) {
        pid_t pid;
        if (posix_spawn(&pid, TRUE_ARGUMENTS[0], NULL, NULL, TRUE_ARGUMENTS, NO_ENVIRONMENT) != 0) {
          exit(1);
        }
        awaitTrue(pid);
        sendAll(fd, &byte, 1);
      }
      break;
    case 'X': {
      unsigned number = 0;
      struct Group group = makeGroup(number);
      while (read(fd, &byte, 1) == 1) {
        runTrueIn(&group);
        sendAll(fd, &byte, 1);
        removeGroup(&group);
        group = makeGroup(++number);
      }
      removeGroup(&group);
      break;
    }
    case 'w':
      receive(fd, NULL);
      break;
    case 'W':
      receive(fd, DISK_PATH);
      break;
    case 'm':
      receive(fd, MEMORY_PATH);
      break;
    case 'r':
      transmit(fd, NULL);
      break;
    case 'R':
      transmit(fd, DISK_PATH);
      break;
    case 'M':
      transmit(fd, MEMORY_PATH);
      break;
  }
}

int main(void) {
  signal(SIGCHLD, SIG_DFL);
  int listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_vm address;
  memset(&address, 0, sizeof(address));
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_ANY;
  address.svm_port = PEER_PORT;
  uint64_t size = BUFFER_BYTES;
  if (listener < 0 ||
      setsockopt(listener, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &size, sizeof(size)) != 0 ||
      setsockopt(listener, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof(size)) != 0 ||
      bind(listener, (struct sockaddr*)&address, sizeof(address)) != 0 ||
      listen(listener, 4) != 0) {
    perror("vsock-peer");
    return 1;
  }
  puts("listening");
  fflush(stdout);
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return 1;
    serve(fd);
    close(fd);
  }
}
