#include "process/cgroup-tree.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>

namespace bothy {

namespace {

// Names that somebody else took.
constexpr uint MAX_NAME_TRIES = 16;

kj::AutoCloseFd openDirectory(kj::StringPtr path) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
  return kj::AutoCloseFd(fd);
}

}  // namespace

class ProcessTrees::CgroupPool::Tree final: public ProcessTree {
public:
  Tree(CgroupPool& pool, Fresh fresh)
      : pool(pool), cgroup(kj::mv(fresh.cgroup)), prepared(kj::mv(fresh.prepared)) {
    pool.used++;
    pool.trees.add(this);
  }
  ~Tree() noexcept(false) override {
    for (auto& tree : pool.trees) {
      if (tree != this) continue;
      tree = pool.trees.back();
      pool.trees.removeLast();
      break;
    }
    prepared = nullptr;
    pool.release(kj::mv(cgroup));
  }

  kj::Maybe<int> cgroupFd() override { return cgroup->fd(); }
  kj::Maybe<kj::Own<Spawner::Prepared>> takePrepared() override { return kj::mv(prepared); }
  ProgramMark markAs(LoopTouches&, uid_t user) override { return cgroup->markAs(user); }
  void adopt(pid_t pid) override { leader = pid; }
  kj::StringPtr name() const { return cgroup->name; }
  pid_t leaderPid() const { return leader; }
  uint count() override { return cgroup->isPopulated() ? cgroup->members().size() : 0; }

  kj::Promise<bool> signal(kj::Array<int> numbers) override {
    return cgroup->signal(kj::mv(numbers));
  }
  void kill() override { cgroup->kill(); }
  kj::Promise<void> onEmpty() override { return cgroup->onEmpty(); }
  kj::Maybe<Usage> usage() override { return cgroup->usage(); }

private:
  CgroupPool& pool;
  kj::Own<Cgroup> cgroup;
  kj::Maybe<kj::Own<Spawner::Prepared>> prepared;
  pid_t leader = 0;
};

ProcessTrees::CgroupPool::CgroupPool(kj::UnixEventPort& eventPort, LoopTouches& touches,
                                     Spawner& spawner, kj::StringPtr directory, size_t mostFresh)
    : eventPort(eventPort),
      touches(touches),
      spawner(spawner),
      root(openDirectory(directory)),
      mostFresh(mostFresh),
      place(kj::str(directory.slice(KJ_ASSERT_NONNULL(directory.findLast('/')) + 1))),
      leftovers(*this) {}

ProcessTrees::CgroupPool::~CgroupPool() noexcept(false) {}

kj::Maybe<kj::Own<ProcessTree>> ProcessTrees::CgroupPool::create() {
  kj::Maybe<kj::Own<ProcessTree>> result;
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                 result = kj::Own<ProcessTree>(kj::heap<Tree>(*this, take()));
               })) {
    KJ_LOG(ERROR, "no control group for a program", problem->getDescription());
  }
  return result;
}

kj::Maybe<pid_t> ProcessTrees::CgroupPool::leaderOf(pid_t member, kj::ArrayPtr<const char> path) {
  auto within = kj::str(path, '/');
  for (auto tree : trees) {
    if (tree->leaderPid() == 0) continue;
    auto part = kj::str('/', place, '/', tree->name(), '/');
    if (tree->leaderPid() == member || strstr(within.cStr(), part.cStr()) != nullptr) {
      return tree->leaderPid();
    }
  }
  return nullptr;
}

ProcessTrees::CgroupPool::Fresh ProcessTrees::CgroupPool::take() {
  while (!fresh.empty()) {
    auto taken = kj::mv(fresh.back());
    fresh.removeLast();
    if (isFresh(taken)) return taken;
    taken.prepared = nullptr;
    leftovers.add(removeWhenEmpty(kj::mv(taken.cgroup)));
  }
  return {make(), nullptr};
}

bool ProcessTrees::CgroupPool::isFresh(const Fresh& taken) {
  const auto rest = taken.cgroup->rest();
  KJ_IF_MAYBE (child, taken.prepared) {
    // Where it is dead the group goes with it: from a cgroup.kill on, Linux kills each child that is born into a group from outside.
    return rest == Cgroup::Rest::POPULATED && (*child)->isWaiting();
  }
  return rest == Cgroup::Rest::EMPTY;
}

void ProcessTrees::CgroupPool::makeFresh() {
  if (fresh.size() >= mostFresh) return;
  auto cgroup = make();
  auto prepared = spawner.prepare(cgroup->fd());
  fresh.add(Fresh{kj::mv(cgroup), kj::mv(prepared)});
}

void ProcessTrees::CgroupPool::endFresh() {
  mostFresh = 0;
  for (auto& each : fresh) {
    each.prepared = nullptr;
    leftovers.add(removeWhenEmpty(kj::mv(each.cgroup)));
  }
  fresh.clear();
}

kj::uint ProcessTrees::CgroupPool::countPrepared() const {
  kj::uint result = 0;
  for (auto& each : fresh) {
    KJ_IF_MAYBE (child, each.prepared) result += (*child)->isWaiting() ? 1 : 0;
  }
  return result;
}

bool ProcessTrees::CgroupPool::isPrepared(pid_t process) const {
  for (auto& each : fresh) {
    KJ_IF_MAYBE (child, each.prepared) {
      if ((*child)->pid() == process) return true;
    }
  }
  return false;
}

kj::Own<Cgroup> ProcessTrees::CgroupPool::make() {
  for (uint i = 1;; i++) {
    auto name = kj::str("program-", nextNumber++);
    Touch touch(touches.markOfAnybody());
    if (i < MAX_NAME_TRIES && faccessat(root.get(), name.cStr(), F_OK, 0) == 0) continue;
    return kj::heap<Cgroup>(eventPort, touches, root.get(), kj::mv(name));
  }
}

void ProcessTrees::CgroupPool::release(kj::Own<Cgroup> cgroup) {
  leftovers.add(replaceWhenEmpty(kj::mv(cgroup)));
}

kj::Promise<void> ProcessTrees::CgroupPool::replaceWhenEmpty(kj::Own<Cgroup> cgroup) {
  // Whoever waits for the end of the program gets it first.
  co_await kj::evalLast([]() {});
  co_await removeWhenEmpty(kj::mv(cgroup));
  used--;
  makeFresh();
}

kj::Promise<void> ProcessTrees::CgroupPool::removeWhenEmpty(kj::Own<Cgroup> cgroup) {
  co_await cgroup->onEmpty();
}

void ProcessTrees::CgroupPool::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a control group cannot be removed, or none be made", exception);
}

}  // namespace bothy
