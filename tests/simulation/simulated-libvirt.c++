#include "simulation/simulated-libvirt.h"

#include <stdlib.h>
#include <string.h>

#include <kj/debug.h>
#include <kj/encoding.h>

namespace bothy {
namespace {

using Program = SimulatedMachinery::Program;

constexpr kj::Duration INSTANT = 0 * kj::SECONDS, MOMENT = 100 * kj::MILLISECONDS;
constexpr kj::Duration SLOW = 3 * kj::SECONDS, SLOWEST = 50 * kj::SECONDS;
// Beyond every deadline of a call, and one after the other within a rest.
constexpr kj::Duration SHORTEST_HANG = 61 * kj::SECONDS, LONGEST_HANG = 240 * kj::SECONDS;

kj::String between(kj::StringPtr text, const char* before, const char* after) {
  auto begin = strstr(text.cStr(), before);
  KJ_REQUIRE(begin != nullptr, "simulated: the domain's XML is not as it was", before);
  begin += strlen(before);
  auto end = strstr(begin, after);
  KJ_REQUIRE(end != nullptr, "simulated: the domain's XML is not as it was", after);
  return kj::heapString(begin, end - begin);
}

class SimulatedWorker final: public Worker, private kj::TaskSet::ErrorHandler {
public:
  SimulatedWorker(SimulatedHost& host, Lifetime& lifetime)
      : host(host), lifetime(lifetime), tasks(*this) {}
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedWorker);

private:
  SimulatedHost& host;
  Lifetime& lifetime;
  std::deque<kj::Own<Job>> jobs;
  bool isWorking = false;
  kj::TaskSet tasks;

  void add(kj::Own<Job> job) override {
    jobs.push_back(kj::mv(job));
    if (isWorking) return;
    isWorking = true;
    tasks.add(work());
  }

  kj::Promise<void> overdue(kj::String what, kj::Duration deadline) override {
    co_await host.timer.afterDelay(deadline);
    kj::throwFatalException(kj::Exception(
        kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
        kj::str("libvirt did not answer within ", deadline / kj::SECONDS, " s: ", what)));
  }

  kj::Promise<void> work() {
    while (!jobs.empty()) {
      auto job = kj::mv(jobs.front());
      jobs.pop_front();
      if (!job->isAwaited()) continue;
      co_await host.timer.afterDelay(takes());
      if (lifetime.isOver()) co_return;
      job->run();
    }
    isWorking = false;
  }

  kj::Duration takes() {
    if (host.fate.strikes(Fault::CALL_HANGS)) {
      host.trace.line("libvirt", "hangs");
      return host.fate.between(SHORTEST_HANG, LONGEST_HANG);
    }
    if (host.fate.strikes(Fault::CALL_SLOW)) return host.fate.between(SLOW, SLOWEST);
    return host.fate.between(INSTANT, MOMENT);
  }

  void taskFailed(kj::Exception&& exception) override {
    host.judge.accuse("a simulated worker failed: ", exception.getDescription());
  }
};

}  // namespace

kj::Own<Worker> SimulatedWorkers::newWorker(kj::StringPtr) {
  return kj::heap<SimulatedWorker>(host, lifetime);
}

void SimulatedLibvirt::mayFail(Fault fault, kj::StringPtr what, kj::StringPtr name) const {
  lifetime.require();
  if (!host.fate.strikes(fault)) return;
  host.trace.line("libvirt", what, " ", host.label(name), ": ", fault);
  kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str("simulated: ", fault)));
}

int SimulatedLibvirt::create(kj::StringPtr xml, const DiskPassphrase& passphrase) const {
  return start("create", between(xml, "<name>", "</name>"), xml, passphrase, false);
}

int SimulatedLibvirt::restore(kj::StringPtr name, kj::StringPtr, kj::StringPtr xml,
                              const DiskPassphrase& passphrase) const {
  return start("restore", name, xml, passphrase, true);
}

int SimulatedLibvirt::start(kj::StringPtr what, kj::StringPtr name, kj::StringPtr xml,
                            const DiskPassphrase& passphrase, bool hasMemory) const {
  mayFail(Fault::CALL_FAILS, what, name);
  if (hasMemory) {
    auto& memory = KJ_REQUIRE_NONNULL(host.memories.find(name), "simulated: there is no memory");
    KJ_REQUIRE(memory.hasAll, "simulated: the memory is not whole");
  }
  auto& machinery = host.machinery;
  KJ_REQUIRE(machinery.domains.find(name) == nullptr, "simulated: the domain exists already");
  auto spec = copyWithoutKey(
      KJ_REQUIRE_NONNULL(machinery.specs.find(name), "simulated: the machine's files are missing"));
  KJ_REQUIRE(KJ_ASSERT_NONNULL(machinery.files.find(name)).hasSecret,
             "simulated: the file of the secret is missing");
  const uint32_t user = atoi(between(xml, "<label>+", ":").cStr());
  if (user != spec.uid) host.judge.accuse("a QEMU runs as another user than its machine's");
  auto digits = kj::str(passphrase.text.bytes().asChars());
  spec.diskKey = Secret(digits.size() / 2);
  auto key = kj::decodeHex(digits);
  memcpy(KJ_ASSERT_NONNULL(spec.diskKey).bytes().begin(), key.begin(), key.size());

  kj::Own<SimulatedMachinery::Process> qemu;
  apply(lifetime, [&]() {
    host.trace.line("libvirt", what, " ", host.label(name));
    auto& machine = hasMemory ? host.beginWithMemory(kj::mv(spec)) : host.begin(kj::mv(spec));
    if (strstr(xml.cStr(), "<vsock") != nullptr) machine.restoreVsock();
    qemu = machinery.spawn(Program::QEMU, user, name);
    KJ_ASSERT_NONNULL(machinery.files.find(name)).hasLog = true;
  });
  lifetime.require();
  if (host.fate.strikes(Fault::CREATE_FAILS_LATE)) {
    host.trace.line("libvirt", "ends ", host.label(name), " at its start");
    machinery.end(*qemu);
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the domain does not start"));
  }
  int number;
  apply(lifetime, [&]() {
    auto& files = KJ_ASSERT_NONNULL(machinery.files.find(name));
    files.qemu = qemu->identity;
    machinery.unadoptable.eraseMatch(name);
    machinery.begin(name, kj::mv(qemu));
    number = KJ_ASSERT_NONNULL(machinery.domains.find(name)).number;
  });
  mayFail(Fault::CALL_FAILS_LATE, what, name);
  return number;
}

void SimulatedLibvirt::save(kj::StringPtr name, kj::StringPtr) const {
  mayFail(Fault::CALL_FAILS, "save", name);
  apply(lifetime, [&]() {
    host.trace.line("libvirt", "save ", host.label(name));
    host.machinery.save(name);
  });
  mayFail(Fault::CALL_FAILS_LATE, "save", name);
}

void SimulatedLibvirt::resume(kj::StringPtr name) const {
  mayFail(Fault::CALL_FAILS, "resume", name);
  apply(lifetime, [&]() {
    host.trace.line("libvirt", "resume ", host.label(name));
    host.machinery.resume(name);
  });
  mayFail(Fault::CALL_FAILS_LATE, "resume", name);
}

void SimulatedLibvirt::pause(kj::StringPtr name) const {
  mayFail(Fault::CALL_FAILS, "pause", name);
  apply(lifetime, [&]() {
    host.trace.line("libvirt", "pause ", host.label(name));
    host.machinery.pause(name);
  });
  mayFail(Fault::CALL_FAILS_LATE, "pause", name);
}

void SimulatedLibvirt::destroy(kj::StringPtr name) const {
  mayFail(Fault::CALL_FAILS, "destroy", name);
  apply(lifetime, [&]() {
    KJ_IF_MAYBE (domain, host.machinery.domains.find(name)) {
      host.trace.line("libvirt", "destroy ", host.label(name));
      auto qemu = kj::addRef(*domain->qemu);
      host.machinery.kill(*qemu);
      host.machinery.domains.erase(name);
      host.machinery.settle(name);
    }
  });
  mayFail(Fault::CALL_FAILS_LATE, "destroy", name);
}

kj::String SimulatedLibvirt::monitor(kj::StringPtr name, kj::StringPtr command) const {
  mayFail(Fault::CALL_FAILS, "command", name);
  kj::String answer;
  apply(lifetime, [&]() { answer = host.machinery.command(name, command); });
  mayFail(Fault::CALL_FAILS_LATE, "command", name);
  return answer;
}

kj::Array<LibvirtDomain> SimulatedLibvirt::list() const {
  mayFail(Fault::CALL_FAILS, "list", "");
  host.machinery.listings++;
  kj::Vector<LibvirtDomain> found;
  for (auto& entry : host.machinery.domains) {
    found.add(LibvirtDomain{kj::str(entry.key), host.machinery.conditionOf(entry.key)});
  }
  return found.releaseAsArray();
}

}  // namespace bothy
