#include "process/spawn.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include <kj/debug.h>

#include "process/waiting-child.h"

namespace bothy {

namespace {

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

}  // namespace

uid_t SpawnRequest::user() const {
  return credentials.map([](const Credentials& own) { return own.uid; }).orDefault(geteuid());
}

// A request with what its child reads.  Its bytes count for its user as long as it lives.
struct Spawner::Job final {
  Spawner& spawner;
  const uid_t user;
  const uint64_t bytes;
  SpawnRequest request;
  kj::Array<const char*> programs;
  kj::Array<const char*> arguments;
  kj::Array<const char*> environment;

  Job(Spawner& spawner, uint64_t bytes, SpawnRequest requestParam)
      : spawner(spawner),
        user(requestParam.user()),
        bytes(bytes),
        request(kj::mv(requestParam)),
        programs(pointers(request.programs)),
        arguments(pointers(request.arguments)),
        environment(pointers(request.environment)) {
    spawner.starting += bytes;
    spawner.startingByUser.findOrCreate(
        user, [this]() { return decltype(spawner.startingByUser)::Entry{user, 0}; }) += bytes;
  }
  ~Job() noexcept(false) {
    spawner.starting -= bytes;
    auto& theirs = KJ_ASSERT_NONNULL(spawner.startingByUser.find(user));
    theirs -= bytes;
    if (theirs == 0) spawner.startingByUser.erase(user);
  }
  KJ_DISALLOW_COPY_AND_MOVE(Job);

  void writeTo(ChildPlan& plan);
};

void Spawner::Job::writeTo(ChildPlan& plan) {
  plan.programs = programs.begin() + 1;
  plan.arguments = arguments.begin() + 1;
  plan.environment = environment.begin() + 1;
  plan.workingDirectory = request.workingDirectory.cStr();
  KJ_IF_MAYBE (home, request.home) {
    plan.fallBackToRoot = true;
    KJ_IF_MAYBE (index, home->variable) {
      plan.home = plan.environment + *index;
    }
  }
  plan.takeTerminal =
      request.controllingTerminal == SpawnRequest::ControllingTerminal::STANDARD_INPUT;
  plan.liftProcessLimit = request.userProcesses == SpawnRequest::UserProcesses::UNLIMITED;
  KJ_IF_MAYBE (credentials, request.credentials) {
    plan.setCredentials = true;
    plan.uid = credentials->uid;
    plan.gid = credentials->gid;
    plan.groups = credentials->groups.begin();
    plan.groupCount = credentials->groups.size();
  }
}

// A child until execve(2), and what it runs once that is known.
struct Spawner::Launch final: public kj::Refcounted {
  Spawner& spawner;
  kj::Maybe<kj::Own<Job>> job;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<Outcome>>> fulfiller;
  WaitingChild child;  // dropped before what it reads

  explicit Launch(Spawner& spawner)
      : spawner(spawner), child(spawner.ignoredSignals, spawner.cgroupNamespace.orDefault(-1)) {}

  // Its number is its own, and it has not begun with its program.
  bool isPending() const { return !child.isGone() && spawner.reaper.isAlive(child.pid()); }
  void kill() const {
    if (isPending()) ::kill(child.pid(), SIGKILL);
  }
  // Once.
  SpawnFailure failure();
  kj::Maybe<int> homeError() const;
};

SpawnFailure Spawner::Launch::failure() {
  auto& plan = child.plan;
  auto& request = KJ_ASSERT_NONNULL(job)->request;
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
  if (child.plan.workingDirectoryError == 0) return nullptr;
  return child.plan.workingDirectoryError;
}

Spawner::Prepared::Prepared(kj::Own<Launch> launch) : launch(kj::mv(launch)) {}

Spawner::Prepared::~Prepared() noexcept(false) {
  if (launch.get() != nullptr) launch->kill();
}

pid_t Spawner::Prepared::pid() const {
  return launch->child.pid();
}

bool Spawner::Prepared::isWaiting() const {
  return launch->isPending();
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

kj::OneOf<kj::Own<Spawner::Launch>, int> Spawner::make(kj::Maybe<int> cgroup) {
  auto launch = kj::refcounted<Launch>(*this);
  if (const int error = launch->child.make(eventPort, cgroup); error != 0) return error;
  launches.add(follow(kj::addRef(*launch)));
  return kj::mv(launch);
}

kj::Maybe<kj::Own<Spawner::Prepared>> Spawner::prepare(kj::Maybe<int> cgroup) {
  auto made = make(cgroup);
  KJ_IF_MAYBE (launch, made.tryGet<kj::Own<Launch>>()) {
    auto result = kj::heap<Prepared>(kj::mv(*launch));
    if (!result->launch->child.isOutsideCgroup()) return kj::mv(result);
  }
  return nullptr;
}

kj::Promise<kj::OneOf<SpawnedProcess, SpawnFailure>> Spawner::spawn(
    SpawnRequest request, kj::Maybe<kj::Own<Prepared>> prepared) {
  const auto bytes = sizeof(Job) + sizeof(Launch) + WaitingChild::STACK_BYTES + bytesOf(request);
  if (!isRoomFor(request.user(), bytes)) {
    return Outcome(SpawnFailure{SpawnFailure::Stage::MEMORY, ENOMEM, nullptr, kj::mv(request)});
  }
  auto job = kj::heap<Job>(*this, bytes, kj::mv(request));
  KJ_IF_MAYBE (waiting, prepared) {
    if ((*waiting)->isWaiting() && run(*(*waiting)->launch, job) == 0) {
      return outcomeOf(kj::mv((*waiting)->launch));
    }
  }
  auto refuse = [&](int error) -> kj::Promise<Outcome> {
    return Outcome(SpawnFailure{SpawnFailure::Stage::CLONE, error, nullptr, kj::mv(job->request)});
  };
  auto made = make(job->request.cgroupFd);
  KJ_IF_MAYBE (error, made.tryGet<int>()) return refuse(*error);
  auto& launch = made.get<kj::Own<Launch>>();
  if (const int error = run(*launch, job); error == EPIPE) {
    // It has ended already: its plan says why.
    launch->job = kj::mv(job);
  } else if (error != 0) {
    launch->kill();
    return refuse(error);
  }
  return outcomeOf(kj::mv(launch));
}

int Spawner::run(Launch& launch, kj::Own<Job>& job) {
  job->writeTo(launch.child.plan);
  const int error = launch.child.run(job->request.standardFds);
  if (error == 0) launch.job = kj::mv(job);
  return error;
}

kj::Promise<Spawner::Outcome> Spawner::outcomeOf(kj::Own<Launch> launch) {
  auto paf = kj::newPromiseAndFulfiller<Outcome>();
  launch->fulfiller = kj::mv(paf.fulfiller);
  return paf.promise.attach(kj::defer([launch = kj::mv(launch)]() { launch->kill(); }));
}

kj::Promise<void> Spawner::follow(kj::Own<Launch> launch) {
  auto& child = launch->child;
  auto exit = reaper.onExit(child.pid());
  co_await child.onGone();
  KJ_IF_MAYBE (fulfiller, launch->fulfiller) {
    if (__atomic_load_n(&child.plan.failed, __ATOMIC_ACQUIRE)) {
      // "Nothing was left behind" includes the zombie.
      co_await exit;
      (*fulfiller)->fulfill(launch->failure());
    } else if ((*fulfiller)->isWaiting()) {
      (*fulfiller)
          ->fulfill(SpawnedProcess{child.pid(), kj::mv(exit), launch->homeError(),
                                   child.isOutsideCgroup()});
    } else if (reaper.isAlive(child.pid())) {
      ::kill(child.pid(), SIGKILL);
    }
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
