#include "support/agent-process.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr int BACKLOG = 64;

// A listening socket whose name the kernel chooses, in no file system.
kj::AutoCloseFd listenSomewhere() {
  int fd;
  KJ_SYSCALL(fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd listener(fd);
  sa_family_t family = AF_UNIX;
  KJ_SYSCALL(::bind(listener.get(), reinterpret_cast<struct sockaddr*>(&family), sizeof(family)));
  KJ_SYSCALL(::listen(listener.get(), BACKLOG));
  return listener;
}

}  // namespace

kj::AutoCloseFd pipeWith(kj::ArrayPtr<const kj::byte> secret) {
  int ends[2];
  KJ_SYSCALL(::pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd out(ends[0]), in(ends[1]);
  kj::FdOutputStream(in.get()).write(secret.begin(), secret.size());
  return out;
}

pid_t startAgent(int socket, int secret) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  KJ_DEFER(::posix_spawn_file_actions_destroy(&actions));
  ::posix_spawn_file_actions_adddup2(&actions, socket, 3);
  ::posix_spawn_file_actions_adddup2(&actions, secret, 4);
  char program[] = BOTHY_AGENT, serve[] = "--serve-fd", three[] = "3", from[] = "--secret-fd",
       four[] = "4";
  char* words[] = {program, serve, three, from, four, nullptr};
  pid_t pid;
  int error = ::posix_spawn(&pid, program, &actions, nullptr, words, environ);
  KJ_REQUIRE(error == 0, "cannot start the agent", program, strerror(error));
  return pid;
}

AgentProcess::AgentProcess(kj::AsyncIoContext& io)
    : io(io), secretBytes(kj::heapArray<kj::byte>(rpc::SECRET_BYTES)), listener(listenSomewhere()) {
  KJ_ASSERT(::getrandom(secretBytes.begin(), secretBytes.size(), 0) == secretBytes.size());
  // Above the numbers that the child gets, so that neither is overwritten on the way.
  int high;
  KJ_SYSCALL(high = ::fcntl(listener.get(), F_DUPFD_CLOEXEC, 10));
  kj::AutoCloseFd socket(high);
  auto source = pipeWith(secretBytes);
  KJ_SYSCALL(high = ::fcntl(source.get(), F_DUPFD_CLOEXEC, 10));
  kj::AutoCloseFd secretSource(high);
  child = startAgent(socket.get(), secretSource.get());
}

AgentProcess::~AgentProcess() noexcept(false) {
  ::kill(child, SIGKILL);
  int status;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
}

kj::Own<kj::AsyncIoStream> AgentProcess::dialRaw() {
  struct sockaddr_un address;
  socklen_t length = sizeof(address);
  KJ_SYSCALL(::getsockname(listener.get(), reinterpret_cast<struct sockaddr*>(&address), &length));
  int fd;
  KJ_SYSCALL(fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd socket(fd);
  KJ_SYSCALL(::connect(socket.get(), reinterpret_cast<struct sockaddr*>(&address), length));
  return io.lowLevelProvider->wrapSocketFd(kj::mv(socket));
}

kj::Own<Lane> AgentProcess::enter(rpc::Purpose purpose) {
  return greet(io.waitScope, io.provider->getTimer(), dialRaw(), secretBytes, wholeGrant(purpose));
}

}  // namespace bothy
