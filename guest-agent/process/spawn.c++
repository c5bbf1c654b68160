#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <kj/debug.h>
#include <kj/io.h>

#include "process/raw-syscall.h"
#include "process/spawned-child.h"

namespace bothy {

namespace {

// Enough for the child's few frames; execve(2) leaves it.
constexpr size_t CHILD_STACK_BYTES = 16 * 1024;
constexpr int FIRST_FREE_FD = 3;
constexpr int LAST_SIGNAL = 64;
// What a text takes beside its bytes: the string, the pointer for execve(2), and what the heap adds to a short one.
constexpr uint64_t TEXT_OVERHEAD_BYTES = sizeof(kj::String) + sizeof(char*) + 32;

// With one free element before the first.
kj::Array<const char*> pointers(kj::ArrayPtr<const kj::String> strings) {
  auto result = kj::heapArray<const char*>(strings.size() + 2);
  result.front() = nullptr;
  for (size_t i = 0; i < strings.size(); i++) result[i + 1] = strings[i].cStr();
  result.back() = nullptr;
  return result;
}

uint64_t bytesOf(const SpawnRequest& request) {
  uint64_t result = request.workingDirectory.size();
  for (auto texts :
       {request.programs.asPtr(), request.arguments.asPtr(), request.environment.asPtr()}) {
    for (auto& text : texts) result += text.size() + TEXT_OVERHEAD_BYTES;
  }
  KJ_IF_MAYBE (credentials, request.credentials) {
    result += credentials->groups.size() * sizeof(gid_t);
  }
  return result;
}

kj::Array<int> findIgnoredSignals() {
  kj::Vector<int> result;
  for (int number = 1; number <= LAST_SIGNAL; number++) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      result.add(number);
    }
  }
  return result.releaseAsArray();
}

// For who may not call clone3(2), as file workers may not: nobody can look into its arguments.
long cloneWithoutHandlers(kj::ArrayPtr<kj::byte> stack, ChildPlan& plan) {
  static const auto allSignals = [] {
    std::array<int, LAST_SIGNAL> result;
    for (int i = 0; i < LAST_SIGNAL; i++) result[i] = i + 1;
    return result;
  }();
  plan.ignoredSignals = allSignals.data();
  plan.ignoredSignalCount = allSignals.size();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const long pid = rawOldClone(CLONE_VM | SIGCHLD, stack.end(), &runChild, &plan);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid;
}

// Whether the kernel refuses the cgroup, and would let the child be born elsewhere.
bool refusesCgroup(long result) {
  return result < 0 && result != -EAGAIN && result != -ENOMEM;
}

}  // namespace

uid_t SpawnRequest::user() const {
  return credentials.map([](const Credentials& own) { return own.uid; }).orDefault(geteuid());
}

// A child between clone3(2) and execve(2), with all the memory that it uses.
struct Spawner::Launch final: public kj::Refcounted {
  Spawner& spawner;
  const uid_t user;
  const uint64_t bytes;
  SpawnRequest request;
  kj::Array<const char*> programs;
  kj::Array<const char*> arguments;
  kj::Array<const char*> environment;
  kj::AutoCloseFd movedFds[FIRST_FREE_FD];
  int fds[FIRST_FREE_FD];
  kj::Array<kj::byte> stack = kj::heapArray<kj::byte>(CHILD_STACK_BYTES);
  ChildPlan plan = {};

  // Ends when the child no longer has the other end: it runs its program, or is dead.  Only then may
  // this object go.
  kj::AutoCloseFd shared;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;
  pid_t pid = 0;
  bool settled = true;
  bool isOutsideCgroup = false;

  // Counts `bytes` for `user` as long as it lives.
  Launch(Spawner& spawner, uid_t user, uint64_t bytes, SpawnRequest requestParam)
      : spawner(spawner),
        user(user),
        bytes(bytes),
        request(kj::mv(requestParam)),
        programs(pointers(request.programs)),
        arguments(pointers(request.arguments)),
        environment(pointers(request.environment)) {
    spawner.starting += bytes;
    spawner.startingByUser.findOrCreate(
        user, [user]() { return decltype(spawner.startingByUser)::Entry{user, 0}; }) += bytes;
  }

  ~Launch() noexcept(false) {
    spawner.starting -= bytes;
    auto& theirs = KJ_ASSERT_NONNULL(spawner.startingByUser.find(user));
    theirs -= bytes;
    if (theirs == 0) spawner.startingByUser.erase(user);
    if (settled) return;
    ::kill(pid, SIGKILL);
    struct pollfd end = {shared.get(), 0, 0};
    while (poll(&end, 1, -1) < 0 && errno == EINTR) {
    }
  }

  // Once.
  SpawnFailure failure();
  kj::Maybe<int> homeError() const;
};

SpawnFailure Spawner::Launch::failure() {
  SpawnFailure result = {plan.stage, plan.errorNumber, nullptr, nullptr};
  if (plan.stage == SpawnFailure::Stage::EXECUTE && plan.refused >= 0) {
    auto head = kj::arrayPtr(plan.head, plan.headSize).asBytes();
    result.file = SpawnFailure::File{kj::str(request.programs[plan.refused]), plan.refusedMode,
                                     plan.mayExecute, kj::heapArray(head)};
  }
  result.request = kj::mv(request);
  return result;
}

kj::Maybe<int> Spawner::Launch::homeError() const {
  if (plan.workingDirectoryError == 0) return nullptr;
  return plan.workingDirectoryError;
}

Spawner::Spawner(kj::UnixEventPort& eventPort, Reaper& reaper, kj::Maybe<int> cgroupNamespace)
    : eventPort(eventPort),
      reaper(reaper),
      cgroupNamespace(cgroupNamespace),
      ignoredSignals(findIgnoredSignals()),
      launches(*this) {}

Spawner::~Spawner() noexcept(false) {}

void Spawner::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a launch failed", exception);
}

bool Spawner::isRoomFor(uid_t user, uint64_t bytes) {
  if (bytes > MAX_STARTING_BYTES - starting) return false;
  KJ_IF_MAYBE (theirs, startingByUser.find(user)) {
    const uint64_t leftByOthers = MAX_STARTING_BYTES - (starting - *theirs);
    return *theirs + bytes <= leftByOthers / USER_STARTING_SHARE;
  }
  return true;
}

kj::Promise<kj::OneOf<SpawnedProcess, SpawnFailure>> Spawner::spawn(SpawnRequest request) {
  using Outcome = kj::OneOf<SpawnedProcess, SpawnFailure>;
  const auto bytes = sizeof(Launch) + CHILD_STACK_BYTES + bytesOf(request);
  const auto user = request.user();
  if (!isRoomFor(user, bytes)) {
    return Outcome(SpawnFailure{SpawnFailure::Stage::MEMORY, ENOMEM, nullptr, kj::mv(request)});
  }
  auto launch = kj::refcounted<Launch>(*this, user, bytes, kj::mv(request));
  auto& child = *launch;
  auto refuse = [&child](int error) -> kj::Promise<Outcome> {
    return Outcome(SpawnFailure{SpawnFailure::Stage::CLONE, error, nullptr, kj::mv(child.request)});
  };

  for (int i = 0; i < FIRST_FREE_FD; i++) {
    child.fds[i] = child.request.standardFds[i];
    if (child.fds[i] >= FIRST_FREE_FD) continue;
    // dup3(2) in the child must not run over an fd that it needs later.
    int moved = fcntl(child.fds[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (moved < 0) return refuse(errno);
    child.movedFds[i] = kj::AutoCloseFd(moved);
    child.fds[i] = moved;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return refuse(errno);
  child.shared = kj::AutoCloseFd(ends[0]);
  kj::AutoCloseFd childEnd(ends[1]);
  if (ends[1] < FIRST_FREE_FD) {
    int moved = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (moved < 0) return refuse(errno);
    childEnd = kj::AutoCloseFd(moved);
  }
  child.observer.emplace(eventPort, ends[0], kj::UnixEventPort::FdObserver::OBSERVE_READ);

  auto& plan = child.plan;
  plan.programs = child.programs.begin() + 1;
  plan.arguments = child.arguments.begin() + 1;
  plan.environment = child.environment.begin() + 1;
  plan.workingDirectory = child.request.workingDirectory.cStr();
  KJ_IF_MAYBE (home, child.request.home) {
    plan.fallBackToRoot = true;
    KJ_IF_MAYBE (index, home->variable) {
      plan.home = plan.environment + *index;
    }
  }
  plan.fds = child.fds;
  plan.report = childEnd.get();
  plan.refused = -1;
  plan.takeTerminal =
      child.request.controllingTerminal == SpawnRequest::ControllingTerminal::STANDARD_INPUT;
  plan.cgroupNamespace = cgroupNamespace.orDefault(-1);
  plan.liftProcessLimit = child.request.userProcesses == SpawnRequest::UserProcesses::UNLIMITED;
  plan.ignoredSignals = ignoredSignals.begin();
  plan.ignoredSignalCount = ignoredSignals.size();
  KJ_IF_MAYBE (credentials, child.request.credentials) {
    plan.setCredentials = true;
    plan.uid = credentials->uid;
    plan.gid = credentials->gid;
    plan.groups = credentials->groups.begin();
    plan.groupCount = credentials->groups.size();
  }

  clone_args arguments = {};
  arguments.flags = CLONE_VM | CLONE_CLEAR_SIGHAND;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uintptr_t>(child.stack.begin());
  arguments.stack_size = child.stack.size() & ~size_t(15);
  KJ_IF_MAYBE (cgroup, child.request.cgroupFd) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = *cgroup;
  }
  long pid = rawClone(arguments, &runChild, &plan);
  if ((arguments.flags & CLONE_INTO_CGROUP) && refusesCgroup(pid)) {
    arguments.flags &= ~CLONE_INTO_CGROUP;
    child.isOutsideCgroup = true;
    pid = rawClone(arguments, &runChild, &plan);
  }
  if (pid == -ENOSYS) {
    const auto usable = child.stack.size() & ~size_t(15);
    pid = cloneWithoutHandlers(child.stack.slice(0, usable), plan);
  }
  if (pid < 0) return refuse(static_cast<int>(-pid));
  child.pid = static_cast<pid_t>(pid);
  child.settled = false;
  childEnd = nullptr;

  auto paf = kj::newPromiseAndFulfiller<Outcome>();
  launches.add(finish(kj::addRef(child), kj::mv(paf.fulfiller)));
  auto abandon = kj::defer([this, launch = kj::mv(launch)]() {
    if (!launch->settled && reaper.isAlive(launch->pid)) ::kill(launch->pid, SIGKILL);
  });
  return paf.promise.attach(kj::mv(abandon));
}

kj::Promise<void> Spawner::finish(
    kj::Own<Launch> launch,
    kj::Own<kj::PromiseFulfiller<kj::OneOf<SpawnedProcess, SpawnFailure>>> fulfiller) {
  auto exit = reaper.onExit(launch->pid);
  co_await KJ_ASSERT_NONNULL(launch->observer).whenBecomesReadable();
  launch->settled = true;
  if (__atomic_load_n(&launch->plan.failed, __ATOMIC_ACQUIRE)) {
    // "Nothing was left behind" includes the zombie.
    co_await exit;
    fulfiller->fulfill(launch->failure());
  } else if (fulfiller->isWaiting()) {
    fulfiller->fulfill(
        SpawnedProcess{launch->pid, kj::mv(exit), launch->homeError(), launch->isOutsideCgroup});
  } else if (reaper.isAlive(launch->pid)) {
    ::kill(launch->pid, SIGKILL);
  }
}

uint64_t searchBytes(kj::StringPtr program, kj::StringPtr path) {
  if (program.findFirst('/') != nullptr) return program.size();
  auto directories = static_cast<uint64_t>(std::count(path.begin(), path.end(), ':')) + 1;
  return path.size() + directories * (program.size() + sizeof(kj::String));
}

kj::Array<kj::String> searchPath(kj::StringPtr program, kj::StringPtr path) {
  if (program.findFirst('/') != nullptr) return kj::arr(kj::str(program));
  kj::Vector<kj::String> result;
  auto add = [&](kj::ArrayPtr<const char> directory) {
    if (directory.size() == 0) {
      result.add(kj::str("./", program));
    } else {
      result.add(kj::str(directory, "/", program));
    }
  };
  kj::ArrayPtr<const char> rest = path;
  size_t start = 0;
  for (size_t i = 0; i < rest.size(); i++) {
    if (rest[i] != ':') continue;
    add(rest.slice(start, i));
    start = i + 1;
  }
  add(rest.slice(start, rest.size()));
  return result.releaseAsArray();
}

}  // namespace bothy
