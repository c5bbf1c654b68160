#include "support/intruder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace bothy {
namespace {

constexpr int FAILED_TO_ENTER = 99;

// The numbers of a line of proc_pid_status(5).
kj::Vector<uint32_t> statusNumbers(pid_t pid, const std::string& name) {
  std::ifstream status(kj::str("/proc/", pid, "/status").cStr());
  kj::Vector<uint32_t> result;
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(name + ":", 0) != 0) continue;
    std::istringstream words(line.substr(name.size() + 1));
    for (uint32_t number; words >> number;) result.add(number);
  }
  return result;
}

// Takes the place of `pid` for good.
void enter(pid_t pid) {
  auto users = statusNumbers(pid, "Uid"), groups = statusNumbers(pid, "Gid");
  auto more = statusNumbers(pid, "Groups");
  KJ_REQUIRE(users.size() > 0 && groups.size() > 0 && users[0] != 0, "no place of a machine", pid);
  int handle;
  KJ_SYSCALL(handle = open(kj::str("/proc/", pid, "/root").cStr(), O_PATH | O_CLOEXEC));
  // A namespace that is this process's already may be entered too, but for that of users.
  for (auto name : {"ipc", "uts", "net", "cgroup", "mnt"}) {
    int space;
    KJ_SYSCALL(space = open(kj::str("/proc/", pid, "/ns/", name).cStr(), O_RDONLY | O_CLOEXEC));
    KJ_SYSCALL(setns(space, 0), name);
  }
  KJ_SYSCALL(fchdir(handle));
  KJ_SYSCALL(chroot("."));
  KJ_SYSCALL(setgroups(more.size(), more.begin()));
  KJ_SYSCALL(setresgid(groups[0], groups[0], groups[0]));
  KJ_SYSCALL(setresuid(users[0], users[0], users[0]));
  KJ_SYSCALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  KJ_SYSCALL(access("/", F_OK));
}

class Report final {
public:
  explicit Report(int fd) : output(fd) {}
  template <typename Subject>
  void add(kj::StringPtr how, Subject&& subject) {
    auto line = kj::str(how, ' ', subject, '\n');
    output.write(line.begin(), line.size());
  }

private:
  kj::FdOutputStream output;
};

// Opens it, and closes it again.
bool mayOpen(const char* path, int flags) {
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

bool mayConnect(int family, int type, const void* address, socklen_t size) {
  kj::AutoCloseFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return false;
  return connect(socket, static_cast<const sockaddr*>(address), size) == 0 ||
         errno == EINPROGRESS || errno == EAGAIN || errno == EPROTOTYPE;
}

bool mayConnect(kj::StringPtr path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  KJ_REQUIRE(path.size() < sizeof(address.sun_path), path);
  memcpy(address.sun_path, path.begin(), path.size());
  return mayConnect(AF_UNIX, SOCK_STREAM, &address, sizeof(address));
}

}  // namespace

template <typename Try>
kj::Vector<kj::String> Intruder::run(Try&& attempt) const {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd readEnd(ends[0]), writeEnd(ends[1]);
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) {
    auto problem = kj::runCatchingExceptions([&]() {
      enter(place);
      Report report(writeEnd);
      attempt(report);
    });
    KJ_IF_MAYBE (exception, problem) KJ_LOG(ERROR, "in place of a machine's", *exception);
    _exit(problem == nullptr ? 0 : FAILED_TO_ENTER);
  }
  writeEnd = nullptr;
  auto text = kj::FdInputStream(readEnd.get()).readAllText();
  int status;
  KJ_SYSCALL(waitpid(child, &status, 0));
  KJ_REQUIRE(status == 0, "the intruder failed", status);
  kj::Vector<kj::String> result;
  std::istringstream lines(text.cStr());
  for (std::string line; std::getline(lines, line);) result.add(kj::str(line.c_str()));
  return result;
}

kj::Vector<kj::String> Intruder::reach(kj::ArrayPtr<const kj::String> paths) const {
  return run([&](Report& report) {
    for (auto& path : paths) {
      struct stat stats;
      if (lstat(path.cStr(), &stats) < 0) continue;
      if (S_ISSOCK(stats.st_mode)) {
        if (mayConnect(path)) report.add("connects", path);
      } else if (S_ISDIR(stats.st_mode)) {
        if (mayOpen(path.cStr(), O_RDONLY | O_DIRECTORY)) report.add("lists", path);
        if (access(path.cStr(), W_OK) == 0) report.add("changes", path);
      } else if (S_ISREG(stats.st_mode)) {
        if (mayOpen(path.cStr(), O_RDONLY)) report.add("reads", path);
        if (mayOpen(path.cStr(), O_WRONLY)) report.add("writes", path);
      }
    }
  });
}

kj::Vector<kj::String> Intruder::reach(kj::ArrayPtr<const pid_t> processes) const {
  return run([&](Report& report) {
    for (pid_t pid : processes) {
      if (kill(pid, 0) == 0) report.add("signals", pid);
      for (auto file : {"mem", "environ", "maps", "fd", "cwd/.", "root/."}) {
        auto path = kj::str("/proc/", pid, '/', file);
        if (access(path.cStr(), R_OK) == 0 && mayOpen(path.cStr(), O_RDONLY)) {
          report.add(kj::str("opens ", file), pid);
        }
      }
      // Last, since it is stopped by it; the end of this process lets it go.
      if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0) report.add("traces", pid);
    }
  });
}

kj::Vector<kj::String> Intruder::reachNetwork() const {
  return run([&](Report& report) {
    constexpr uint16_t PORT = 53;
    for (auto text : {"127.0.0.1", "10.0.2.2", "169.254.169.254", "192.0.2.1"}) {
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_port = htons(PORT);
      inet_pton(AF_INET, text, &address.sin_addr);
      for (auto type : {SOCK_STREAM, SOCK_DGRAM}) {
        if (mayConnect(AF_INET, type, &address, sizeof(address))) report.add("connects", text);
      }
    }
    for (auto text : {"::1", "fe80::1", "2001:db8::1"}) {
      sockaddr_in6 address = {};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(PORT);
      inet_pton(AF_INET6, text, &address.sin6_addr);
      for (auto type : {SOCK_STREAM, SOCK_DGRAM}) {
        if (mayConnect(AF_INET6, type, &address, sizeof(address))) report.add("connects", text);
      }
    }
    for (auto family : {AF_PACKET, AF_INET}) {
      kj::AutoCloseFd raw(socket(family, SOCK_RAW | SOCK_CLOEXEC, 0));
      if (raw.get() >= 0) report.add("makes", "a raw socket");
    }
  });
}

}  // namespace bothy
