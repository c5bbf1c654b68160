#include "bench/sleep-figures.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <kj/debug.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/mutex.h>
#include <kj/thread.h>

#include "bench/plain-machine.h"
#include "keys/message-code.h"
#include "secret/random-bytes.h"
#include "support/host-program.h"
#include "support/test-workspace.h"
#include "volume/encrypted-volume-store.h"

namespace bothy {
namespace {

constexpr uint32_t MEMORY_MIB = 512;
// Of random bytes, beside what a workspace has at rest.
constexpr uint32_t TOUCHED_MIB[] = {0, 192};
constexpr kj::uint ROUNDS = 5;
constexpr kj::StringPtr NAME = "sleeper"_kj;
constexpr double MEBIBYTE = 1 << 20;

template <typename Response>
void requireDone(Response&& response, bool isDone) {
  KJ_REQUIRE(isDone, response.getOutcome());
}

void hibernate(SupervisedHost& host) {
  auto request = host.supervisor().hibernateRequest();
  request.setName(NAME);
  auto response = host.wait(request.send().dropPipeline(), "the hibernation");
  requireDone(response, response.getOutcome().isHibernated());
}

void pause(SupervisedHost& host) {
  auto request = host.supervisor().pauseRequest();
  request.setName(NAME);
  auto response = host.wait(request.send().dropPipeline(), "the pause");
  requireDone(response, response.getOutcome().isPaused());
}

// Until somebody who comes anew sees the prompt in a terminal that was open.
double resumeMillis(TestWorkspace& workspace, TestTerminal& terminal) {
  return milliseconds([&]() {
    auto request = workspace.host.supervisor().resumeRequest();
    request.setName(NAME);
    auto response = workspace.host.wait(request.send().dropPipeline(), "the resume");
    requireDone(response, response.getOutcome().isResumed());
    workspace.reconnect();
    TestTerminal(TestTerminal::Past::SCREEN, terminal).waitForText("$");
  });
}

// What a MiB takes that is written encrypted as memory is, and by no machine.
void measureRawWrites(Row& row, SupervisedHost& host, kj::StringPtr directory, uint32_t mib) {
  EncryptedVolumeStore store(host.timer, kj::str(directory, "/volumes"), &messageCode);
  Secret key(32);
  fillRandom(key.bytes());
  auto keyFile = kj::str(directory, "/key");
  {
    int raw;
    KJ_SYSCALL(raw = open(keyFile.cStr(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    kj::FdOutputStream file((kj::AutoCloseFd(raw)));
    auto digits = hexadecimal(key);
    file.write(digits.bytes().begin(), digits.bytes().size());
  }
  auto secret = kj::str("secret,id=k,file=", keyFile);
  auto run = [&](bool writes) {
    auto options = kj::str("driver=luks,key-secret=k,file.filename=", store.memoryPath(NAME));
    kj::Vector<kj::String> commands;
    commands.add(kj::str("length"));
    for (uint32_t i = 0; writes && i < mib; i++) commands.add(kj::str("write -q ", i, "M 1M"));
    if (writes) commands.add(kj::str("flush"));
    kj::Vector<kj::StringPtr> argv;
    argv.addAll(kj::ArrayPtr<const kj::StringPtr>({"qemu-io"_kj, "--object"_kj, secret}));
    for (auto& command : commands) {
      argv.add("-c");
      argv.add(command);
    }
    argv.add("--image-opts");
    argv.add(options);
    hostOutput(argv);
  };
  for (kj::uint i = 0; i < ROUNDS; i++) {
    store.createMemory(NAME, uint64_t{MEMORY_MIB} << 20, key.clone()).wait(host.scope);
    auto base = milliseconds([&]() { run(false); });
    row.floor.add((milliseconds([&]() { run(true); }) - base) / mib);
    store.destroyMemory(NAME).wait(host.scope);
  }
}

// A plain machine, on a thread that has a mount namespace of its own.
class PlainMachineThread final {
public:
  explicit PlainMachineThread(kj::StringPtr directory)
      : thread([this, directory]() { work(directory); }) {}
  ~PlainMachineThread() noexcept(false) { state.lockExclusive()->isToEnd = true; }

  // Waits for it.
  void run(kj::Function<void(PlainMachine&)> job) {
    state.lockExclusive()->job = kj::mv(job);
    auto lock = state.lockExclusive();
    lock.wait([](const State& s) { return s.job == nullptr; });
    KJ_IF_MAYBE (e, lock->failure) kj::throwFatalException(kj::mv(*e));
  }

private:
  struct State {
    kj::Maybe<kj::Function<void(PlainMachine&)>> job;
    kj::Maybe<kj::Exception> failure;
    bool isToEnd = false;
  };
  kj::MutexGuarded<State> state;
  kj::Thread thread;

  void work(kj::StringPtr directory) {
    kj::Maybe<kj::Own<PlainMachine>> machine;
    for (;;) {
      auto lock = state.lockExclusive();
      lock.wait([](const State& s) { return s.isToEnd || s.job != nullptr; });
      if (lock->job == nullptr) return;
      auto job = kj::mv(KJ_ASSERT_NONNULL(lock->job));
      lock.release();
      auto failure = kj::runCatchingExceptions([&]() {
        if (machine == nullptr) machine = kj::heap<PlainMachine>(directory, MEMORY_MIB);
        job(*KJ_ASSERT_NONNULL(machine));
      });
      auto ended = state.lockExclusive();
      ended->failure = kj::mv(failure);
      ended->job = nullptr;
    }
  }
};

struct Times {
  kj::Vector<double> hibernated, woken, resumed, plainSaved, plainRestored;
  double savedMib = 0;
};

// By turns: whatever else the host does meets both.
Times measureBoth(SupervisedHost& host, PlainMachineThread& plain, uint32_t touchedMib) {
  Times times;
  plain.run([&](PlainMachine& machine) { machine.begin(touchedMib); });
  TestWorkspace workspace(host, {.name = NAME, .memoryMib = MEMORY_MIB, .diskMib = 256});
  workspace.shell(kj::str("head -c ", touchedMib, "M /dev/urandom > /dev/shm/filled"));
  TestTerminal terminal(workspace, {});
  terminal.waitForText("$");
  for (kj::uint i = 0; i < ROUNDS; i++) {
    times.hibernated.add(milliseconds([&]() { hibernate(host); }));
    plain.run([&](PlainMachine& machine) { times.plainSaved.add(machine.saveMillis()); });
    times.savedMib = workspace.info().getSavedBytes() / MEBIBYTE;
    times.woken.add(resumeMillis(workspace, terminal));
    plain.run([&](PlainMachine& machine) { times.plainRestored.add(machine.restoreMillis()); });
    pause(host);
    times.resumed.add(resumeMillis(workspace, terminal));
  }
  host.deleteWorkspace(NAME);
  return times;
}

}  // namespace

void measureSleep(kj::Vector<Row>& rows, SupervisedHost& host) {
  char directory[] = "/var/tmp/bothy-bench-XXXXXX";
  KJ_REQUIRE(mkdtemp(directory) != nullptr, directory);
  KJ_DEFER(hostOutput({"/bin/rm"_kj, "-rf"_kj, "--one-file-system"_kj, kj::StringPtr(directory)}));
  PlainMachineThread plain(directory);
  double hibernatedMillis[kj::size(TOUCHED_MIB)], savedMib[kj::size(TOUCHED_MIB)];
  for (auto i : kj::indices(TOUCHED_MIB)) {
    const auto touched = TOUCHED_MIB[i];
    auto times = measureBoth(host, plain, touched);
    hibernatedMillis[i] = percentile(times.hibernated, 0.5);
    savedMib[i] = times.savedMib;
    auto suffix = touched == 0 ? kj::str(", at rest") : kj::str(", ", touched, " MiB filled");
    addRow(rows, kj::str("memory of a hibernated workspace", suffix), "MiB")
        .samples.add(times.savedMib);
    auto& hibernated = addRow(rows, kj::str("hibernation", suffix), "ms");
    hibernated.samples = kj::mv(times.hibernated);
    hibernated.floor.addAll(times.plainSaved);
    auto& woken = addRow(rows, kj::str("hibernated to prompt", suffix), "ms", 1.1);
    woken.samples = kj::mv(times.woken);
    woken.floor.addAll(times.plainRestored);
    auto& resumed = addRow(rows, kj::str("paused to prompt", suffix), "ms", 1.1);
    resumed.samples = kj::mv(times.resumed);
    resumed.floor.addAll(times.plainRestored);
  }
  auto& more = addRow(rows, "hibernation, of a MiB more", "ms");
  more.samples.add((hibernatedMillis[1] - hibernatedMillis[0]) / (savedMib[1] - savedMib[0]));
  measureRawWrites(more, host, directory, TOUCHED_MIB[1]);
}

}  // namespace bothy
