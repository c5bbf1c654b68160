#include "vm/libvirt-connection.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>

#include <kj/debug.h>
#include <kj/map.h>

#include "loop/empty-network.h"
#include "loop/worker-thread.h"
#include "vm/kvm-node.h"
#include "vm/machine-workers.h"

namespace bothy {
namespace {

// What a thread that starts machines needs, before each.  libvirt makes most of its directories for everybody: what this
// thread makes, and the threads that it starts, is its owner's alone (S17).  A QEMU has the network of the thread that starts it: a
// libvirt in this process gives each an empty one.
void prepareThread(KvmNode kvm) {
  const bool isEmbedded = kvm != KvmNode::HOSTS;
  if (!isEmbedded) return;
  enterEmptyNetwork();
  static thread_local bool isPrepared = false;
  if (isPrepared) return;
  KJ_SYSCALL(unshare(CLONE_FS));
  umask(0077);
  provideKvm(kvm);
  isPrepared = true;
}

// Whether somebody still waits for a machine that libvirt starts.
struct Wish final: public kj::AtomicRefcounted {
  mutable std::atomic<bool> isWithdrawn = false;
};

}  // namespace

class LibvirtConnectionImpl final: public LibvirtConnection {
  template <typename Func>
  auto call(kj::StringPtr what, kj::StringPtr subject, Func func) {
    auto text = subject.size() > 0 ? kj::str(what, " of ", subject) : kj::str(what);
    return callers.run({text, subject, limits.call},
                       [sessions = kj::atomicAddRef(*sessions), func = kj::mv(func)]() {
                         return func(*sessions->get());
                       });
  }

public:
  LibvirtConnectionImpl(kj::Timer& timer, Settings settings)
      : timer(timer),
        limits(settings.limits),
        kvm(settings.kvm),
        events(boxOf(kj::mv(settings.events))),
        sessions(kj::atomicRefcounted<LibvirtSessions>(
            kj::mv(settings.place), kj::atomicAddRef(*events), kj::mv(settings.session))),
        threads(threadsOf(timer, kj::mv(settings.workers))),
        starters(timer, *threads, "libvirt", workersOf(limits)),
        enders(timer, *threads, "libvirt", workersOf(limits)),
        callers(timer, *threads, "libvirt", workersOf(limits)) {
    for (auto workers : {&starters, &enders, &callers}) {
      workers->onHang([this]() { sessions->condemn(); });
    }
  }

  kj::Promise<void> connect() {
    return starters.run({"open", nullptr, limits.open},
                        [kvm = kvm, sessions = kj::atomicAddRef(*sessions)]() {
                          prepareThread(kvm);
                          sessions->get();
                        });
  }

  kj::Promise<LibvirtEvent> nextEvent() override { return events->take(); }

  kj::Promise<int> create(kj::StringPtr name, kj::String xml, DiskPassphrase passphrase,
                          kj::Maybe<TurnListener&> listener) override {
    return begin(name, limits.create, listener,
                 [xml = kj::mv(xml), passphrase = kj::mv(passphrase)](
                     const LibvirtSession& session) { return session.create(xml, passphrase); });
  }

  kj::Promise<int> restore(kj::StringPtr name, kj::String path, kj::String xml,
                           DiskPassphrase passphrase, kj::Maybe<TurnListener&> listener) override {
    return begin(name, limits.memory, listener,
                 [name = kj::str(name), path = kj::mv(path), xml = kj::mv(xml),
                  passphrase = kj::mv(passphrase)](const LibvirtSession& session) {
                   return session.restore(name, path, xml, passphrase);
                 });
  }

  bool isCalled(kj::StringPtr name) override {
    return starters.isCalled(name) || enders.isCalled(name) || callers.isCalled(name);
  }

  bool isIdle() override {
    return starts.size() == 0 && starters.isIdle() && enders.isIdle() && callers.isIdle();
  }

  kj::Promise<void> resume(kj::StringPtr name) override {
    return call("resume", name,
                [name = kj::str(name)](const LibvirtSession& session) { session.resume(name); });
  }

  kj::Promise<void> pause(kj::StringPtr name) override {
    return call("pause", name,
                [name = kj::str(name)](const LibvirtSession& session) { session.pause(name); });
  }

  kj::Promise<void> destroy(kj::StringPtr nameParam) override {
    auto name = kj::str(nameParam);
    kj::Promise<void> start = kj::READY_NOW;
    KJ_IF_MAYBE (underWay, starts.find(name)) {
      start = underWay->addBranch();
      starts.erase(name);
    }
    // Beside the machine's other calls, which it frees if they hang.
    auto what = kj::str("end of ", name);
    co_await enders.run({what, name, limits.destroy},
                        [sessions = kj::atomicAddRef(*sessions), name = kj::str(name)]() {
                          sessions->get()->destroy(name);
                        });
    // A start that nobody waits for ends the machine itself if it comes about.
    co_await timer.timeoutAfter(limits.destroy, kj::mv(start));
  }

  kj::Promise<void> save(kj::StringPtr nameParam, kj::String path) override {
    auto name = kj::str(nameParam);
    auto what = kj::str("save of ", name);
    co_await callers.run({what, name, limits.memory},
                         [sessions = kj::atomicAddRef(*sessions), name = kj::str(name),
                          path = kj::mv(path)]() { sessions->get()->save(name, path); });
  }

  kj::Promise<kj::String> monitor(kj::StringPtr name, kj::String command) override {
    return call("monitor command", name,
                [name = kj::str(name), command = kj::mv(command)](const LibvirtSession& session) {
                  return session.monitor(name, command);
                });
  }

  kj::Promise<kj::Array<LibvirtDomain>> list() override {
    return call("list", nullptr, [](const LibvirtSession& session) { return session.list(); });
  }

  kj::Promise<kj::Array<LibvirtCpuTime>> cpuTimes() override {
    // As if all together were one machine, and no machine has this name.
    return callers.run(
        {"processor times", "all machines", limits.call},
        [sessions = kj::atomicAddRef(*sessions)]() { return sessions->get()->cpuTimes(); });
  }

private:
  kj::Timer& timer;
  const LibvirtLimits limits;
  const KvmNode kvm;
  kj::Own<LibvirtEventBox> events;
  kj::Own<const LibvirtSessions> sessions;
  // Those under way, whether or not somebody waits for them.
  kj::HashMap<kj::String, kj::ForkedPromise<void>> starts;

  kj::Own<WorkerSource> threads;
  // To start and to end machines takes seconds, which is too long for other calls to wait.
  MachineWorkers starters;
  MachineWorkers enders;
  MachineWorkers callers;

  // Runs `func`, which brings a domain about.
  template <typename Func>
  kj::Promise<int> begin(kj::StringPtr nameParam, kj::Duration limit,
                         kj::Maybe<TurnListener&> listener, Func func) {
    auto name = kj::str(nameParam);
    auto wish = kj::atomicRefcounted<Wish>();
    auto over = kj::newPromiseAndCrossThreadFulfiller<void>();
    starts.upsert(kj::str(name), over.promise.catch_([](kj::Exception&&) {}).fork());
    KJ_DEFER(wish->isWithdrawn = true);
    // Whatever becomes of the job, what it owns goes with it, `over` among it.
    auto what = kj::str("start of ", name);
    int number = co_await starters.run(
        {what, name, limit, listener},
        [kvm = kvm, sessions = kj::atomicAddRef(*sessions), name = kj::str(name),
         func = kj::mv(func), wish = kj::atomicAddRef(*wish), over = kj::mv(over.fulfiller)]() {
          prepareThread(kvm);
          auto session = sessions->get();
          int number = func(*session);
          if (wish->isWithdrawn) session->destroy(name);
          return number;
        });
    starts.erase(name);
    co_return number;
  }

  static kj::Own<LibvirtEventBox> boxOf(kj::Maybe<kj::Own<LibvirtEventBox>> given) {
    KJ_IF_MAYBE (box, given) {
      return kj::mv(*box);
    }
    return kj::atomicRefcounted<LibvirtEventBox>();
  }
  static kj::Own<WorkerSource> threadsOf(kj::Timer& timer, kj::Maybe<kj::Own<WorkerSource>> given) {
    KJ_IF_MAYBE (workers, given) {
      return kj::mv(*workers);
    }
    return kj::heap<WorkerThreads>(timer);
  }
  static MachineWorkers::Limits workersOf(const LibvirtLimits& limits) {
    return {limits.threads, limits.patience, limits.slowCalls,
            limits.wait,    limits.waiting,  limits.waitingOfMachine};
  }
};

kj::Promise<kj::Own<LibvirtConnection>> LibvirtConnection::open(kj::Timer& timer,
                                                                Settings settings) {
  // Its failures reach people as exceptions; what it logs besides, every end of a machine among it,
  // says no more.  Set here and not on its thread, where changing the environment would be less safe.
  setenv("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null", 0);
  auto connection = kj::heap<LibvirtConnectionImpl>(timer, kj::mv(settings));
  co_await connection->connect();
  co_return kj::mv(connection);
}

}  // namespace bothy
