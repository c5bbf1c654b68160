#include "loop/subreaper.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <kj/debug.h>

namespace bothy {

class Subreaper::Following final: public Account {
public:
  Following(Subreaper& reaper, pid_t child) : reaper(reaper), child(child) {
    reaper.followed.upsert(child, this, [](Following*& existing, Following*&& replacement) {
      existing = replacement;
    });
  }
  ~Following() noexcept(false) { forget(); }
  KJ_DISALLOW_COPY_AND_MOVE(Following);

  kj::Maybe<kj::Duration> taken() const override { return sum; }

  void end(const struct rusage& usage) {
    const auto durationOf = [](const struct timeval& time) {
      return time.tv_sec * kj::SECONDS + time.tv_usec * kj::MICROSECONDS;
    };
    sum = durationOf(usage.ru_utime) + durationOf(usage.ru_stime);
    forget();
  }

private:
  Subreaper& reaper;
  const pid_t child;
  kj::Maybe<kj::Duration> sum;

  // Its pid may be another's from its end on.
  void forget() {
    KJ_IF_MAYBE (known, reaper.followed.find(child)) {
      if (*known == this) reaper.followed.erase(child);
    }
  }
};

void Subreaper::prepare() {
  kj::UnixEventPort::captureSignal(SIGCHLD);
}

Subreaper::Subreaper(kj::UnixEventPort& port)
    : port(port), loop(reapForever().eagerlyEvaluate([](kj::Exception&& e) { KJ_LOG(FATAL, e); })) {
  KJ_SYSCALL(prctl(PR_SET_CHILD_SUBREAPER, 1));
}

Subreaper::~Subreaper() noexcept(false) {
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

kj::Promise<int> Subreaper::onExit(pid_t child) {
  auto paf = kj::newPromiseAndFulfiller<int>();
  expected.upsert(child, kj::mv(paf.fulfiller),
                  [](auto& existing, auto&& replacement) { existing = kj::mv(replacement); });
  return kj::mv(paf.promise);
}

kj::Own<Subreaper::Account> Subreaper::follow(pid_t child) {
  return kj::heap<Following>(*this, child);
}

kj::Promise<void> Subreaper::reapForever() {
  for (;;) {
    reap();
    co_await port.onSignal(SIGCHLD);
  }
}

void Subreaper::reap() {
  for (;;) {
    int status;
    // The kernel gives orphans to the subreaper's thread group leader; __WNOTHREAD leaves what other
    // threads forked to them.
    struct rusage usage{};
    pid_t pid = wait4(-1, &status, WNOHANG | __WNOTHREAD, &usage);
    if (pid <= 0) return;
    KJ_IF_MAYBE (following, followed.find(pid)) (*following)->end(usage);
    KJ_IF_MAYBE (fulfiller, expected.find(pid)) {
      (*fulfiller)->fulfill(kj::mv(status));
      expected.erase(pid);
    }
  }
}

}  // namespace bothy
