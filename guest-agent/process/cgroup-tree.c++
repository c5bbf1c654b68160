#include "process/cgroup-tree.h"

#include <fcntl.h>
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
  Tree(CgroupPool& pool, kj::Own<Cgroup> cgroup) : pool(pool), cgroup(kj::mv(cgroup)) {
    pool.used++;
  }
  ~Tree() noexcept(false) override { pool.release(kj::mv(cgroup)); }

  kj::Maybe<int> cgroupFd() override { return cgroup->fd(); }
  void adopt(pid_t) override {}
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
};

ProcessTrees::CgroupPool::CgroupPool(kj::UnixEventPort& eventPort, kj::StringPtr directory,
                                     size_t mostFresh)
    : eventPort(eventPort),
      root(openDirectory(directory)),
      mostFresh(mostFresh),
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

kj::Own<Cgroup> ProcessTrees::CgroupPool::take() {
  while (!fresh.empty()) {
    auto cgroup = kj::mv(fresh.back());
    fresh.removeLast();
    if (cgroup->isFresh()) return cgroup;
  }
  return make();
}

kj::Own<Cgroup> ProcessTrees::CgroupPool::make() {
  for (uint i = 1;; i++) {
    auto name = kj::str("program-", nextNumber++);
    if (i < MAX_NAME_TRIES && faccessat(root.get(), name.cStr(), F_OK, 0) == 0) continue;
    return kj::heap<Cgroup>(eventPort, root.get(), kj::mv(name));
  }
}

void ProcessTrees::CgroupPool::release(kj::Own<Cgroup> cgroup) {
  leftovers.add(removeWhenEmpty(kj::mv(cgroup)));
}

kj::Promise<void> ProcessTrees::CgroupPool::removeWhenEmpty(kj::Own<Cgroup> cgroup) {
  // Whoever waits for the end of the program gets it first.
  co_await kj::evalLast([]() {});
  co_await cgroup->onEmpty();
  cgroup = nullptr;
  used--;
  if (fresh.size() < mostFresh) fresh.add(make());
}

void ProcessTrees::CgroupPool::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a control group cannot be removed, or none be made", exception);
}

}  // namespace bothy
