#include "process/child-process.h"

#include <signal.h>

namespace bothy {

kj::Promise<kj::OneOf<kj::Own<ChildProcess>, StartFailure>> ChildProcess::start(
    ProcessHost& host, SpawnRequest request) {
  using Outcome = kj::OneOf<kj::Own<ChildProcess>, StartFailure>;
  auto program = kj::str(request.arguments[0]);
  auto workingDirectory = kj::str(request.workingDirectory);
  auto tree = host.trees.create();
  request.cgroupFd = tree->cgroupFd();
  // Cancelled between execve(2) and our hearing of it, the program may have begun to fork.
  bool settled = false;
  KJ_DEFER(if (!settled) tree->kill());
  auto outcome = co_await host.spawner.spawn(kj::mv(request));
  settled = true;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(failure, SpawnFailure) {
      co_return Outcome(explain(failure, program, workingDirectory));
    }
    KJ_CASE_ONEOF(process, SpawnedProcess) {
      tree->adopt(process.pid);
      co_return Outcome(
          kj::refcounted<ChildProcess>(host, process.pid, kj::mv(process.exit), kj::mv(tree)));
    }
  }
  KJ_UNREACHABLE;
}

ChildProcess::ChildProcess(ProcessHost& host, pid_t pid, kj::Promise<ExitStatus> exitParam,
                           kj::Own<ProcessTree> tree)
    : host(host), leader(pid), exit(exitParam.fork()), tree(kj::mv(tree)) {}

ChildProcess::~ChildProcess() noexcept(false) {}

bool ChildProcess::signal(int number, rpc::SignalScope scope) {
  if (scope == rpc::SignalScope::TREE) return tree->signal(number);
  return host.reaper.isAlive(leader) && ::kill(leader, number) == 0;
}

kj::Promise<void> ChildProcess::end() {
  KJ_IF_MAYBE (running, ending) {
    return running->addBranch();
  }
  auto& fork = ending.emplace(runEnd().fork());
  host.runInBackground(fork.addBranch().attach(kj::addRef(*this)));
  return fork.addBranch();
}

kj::Promise<void> ChildProcess::runEnd() {
  tree->signal(SIGHUP);
  tree->signal(SIGTERM);
  tree->signal(SIGCONT);  // a stopped process gets the two only when it goes on
  auto grace = host.timer.afterDelay(rpc::KILL_GRACE_MILLIS * kj::MILLISECONDS);
  co_await tree->onEmpty().exclusiveJoin(kj::mv(grace));
  tree->kill();
  co_await tree->onEmpty();
}

}  // namespace bothy
