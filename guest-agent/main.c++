// The agent: PID 1 of a workspace's machine.  Here the rooms are wired together, and nowhere else.

#include <errno.h>
#include <fcntl.h>
#include <kj/async-unix.h>
#include <kj/debug.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>

#include "actions/action-writer.h"
#include "actions/piped-action-log.h"
#include "boot-report.h"
#include "boot/boot-secret.h"
#include "boot/boot.h"
#include "boot/machine-shutdown.h"
#include "boot/root.h"
#include "boot/temporary-files.h"
#include "file-worker/confinement.h"
#include "file-worker/file-worker-main.h"
#include "file-worker/file-workers.h"
#include "files/archive-worker.h"
#include "files/background-removal.h"
#include "files/files-facet.h"
#include "machine-events.h"
#include "options.h"
#include "power/power-signals.h"
#include "power/power.h"
#include "power/shutdown-schedule.h"
#include "process/loop-watcher.h"
#include "process/processes-facet.h"
#include "process/programs.h"
#include "process/text-file.h"
#include "rpc/boot-timer.h"
#include "rpc/host-connections.h"
#include "rpc/socket-receiver.h"
#include "rpc/vsock-listener.h"
#include "setup/setup-worker.h"
#include "setup/workspace-setup.h"
#include "system/system-facet.h"
#include "terminal/terminals-facet.h"
#include "wake/wake-locks.h"
#include "wake/wake-service.h"
#include "wire/event-loop.h"
#include "wire/socket-stream.h"

namespace bothy {
namespace {

constexpr int EXIT_USAGE = 64;

// Every room of the agent, joined to one event loop.
class Agent {
public:
  // Makes what serves `System`; `mark`: of those who may list control groups and processes.
  using SystemOf = kj::FunctionParam<kj::Own<rpc::System::Server>(ProgramMark mark)>;

  // `actionDirectory`: where it is noted what is done over lanes.
  Agent(kj::AsyncIoContext& io, Programs::Options options, SystemOf systemOf, GateKey keyParam,
        kj::Maybe<kj::StringPtr> actionDirectory, kj::Maybe<MachineClock&> clock = nullptr,
        WorkspaceSetup::Disk disk = WorkspaceSetup::Disk::NONE,
        kj::Maybe<MachineSleep&> sleep = nullptr)
      : programs(io.unixEventPort, io.provider->getTimer(), kj::mv(options)),
        actions(programs, actionDirectory.orDefault(nullptr)),
        actionShares(actions, programs.timer, kj::systemPreciseCalendarClock()),
        files(programs),
        terminals(programs),
        setup(programs, disk),
        facets{[this](auto lane) { return newTerminalsFacet(terminals, kj::mv(lane)); },
               newProcessesFacets(programs),
               systemOf(programs.anybodys),
               files,
               {actions, kj::systemPreciseCalendarClock(), actionShares},
               clock,
               setup,
               sleep},
        key(kj::mv(keyParam)),
        bootTimer(io.unixEventPort),
        connections(io.provider->getTimer(), bootTimer, key, facets, laneMemory,
                    kj::systemPreciseMonotonicClock()) {
    connections.holdLanesWhile([this]() { return programs.machineEnds; });
    if (actionDirectory == nullptr) actions.close();
    programs.listener = connections.events();
  }
  ~Agent() noexcept(false) { programs.listener = nullptr; }
  KJ_DISALLOW_COPY_AND_MOVE(Agent);

  Programs programs;
  // Before whatever is under way, which is noted when it ends.
  PipedActionLog actions;
  ActionShares actionShares;
  MessageBudget laneMemory{LANES_LIMITS};
  FileWorkers files;
  TerminalRegistry terminals;
  WorkspaceSetup setup;
  Facets facets;
  GateKey key;
  BootTimer bootTimer;
  HostConnections connections;
};

// What the heap keeps when it is free, in bytes: chunks of a stream on their way.  More goes back to the
// kernel, for an agent is idle for most of its life.
constexpr int KEPT_HEAP_BYTES = 4 * 1024 * 1024;
// A mapping for each chunk would cost a fault for each of its pages.
constexpr int LEAST_MAPPING_BYTES = 4 * 1024 * 1024;

void tuneMemory() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, LEAST_MAPPING_BYTES);
  mallopt(M_TRIM_THRESHOLD, KEPT_HEAP_BYTES);
}

// Nothing can catch what has come this far, and PID 1 that exits panics the kernel: the machine starts
// again, with its disks in order.
[[noreturn]] void endMachine() {
  const char text[] = "bothy: FATAL the agent cannot go on; restarting the machine\n";
  if (::write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
    // Nobody hears it; the next line is what matters.
  }
  settleFileSystems(nullptr);
  ::reboot(RB_AUTOBOOT);
  ::_exit(1);
}

// The event loop, however the agent is served.
kj::AsyncIoContext setupLoop() {
  Reaper::captureChildExit();
  return setupEventLoop();
}

// Then, because it is a work of minutes if somebody had much in /tmp.
constexpr kj::Duration REMOVAL_START = 10 * kj::SECONDS;

kj::Promise<void> finishBoot(Boot& boot, Programs& programs) {
  co_await boot.finish(programs.timer);
  if (!boot.hasOldTemporaryFiles()) {
    co_return;
  }
  co_await programs.timer.afterDelay(REMOVAL_START);
  if (programs.machineEnds) {
    co_return;
  }
  auto name = OLD_TMP.slice(1);
  const int error = co_await removeInBackground(programs, openRoot("/"), kj::str(name));
  if (error != 0 && !programs.machineEnds) {
    KJ_LOG(WARNING, "what lay in /tmp at the last boot is not all removed", name, strerror(error));
  }
}

uint64_t unixMicros() {
  return (kj::systemPreciseCalendarClock().now() - kj::UNIX_EPOCH) / kj::MICROSECONDS;
}

kj::String pathOfPrograms(const ControlGroups& groups) {
  return kj::str(groups.path(), '/', PROGRAM_GROUPS);
}

// What stands still before the machine's memory is saved.
kj::Array<kj::String> groupsOfUsers(kj::Maybe<const ControlGroups&> groups) {
  KJ_IF_MAYBE (g, groups) {
    auto path = g->path();
    return kj::arr(kj::str(path, '/', PROGRAM_GROUPS), kj::str(path, '/', RESERVE_GROUPS));
  }
  return nullptr;
}

void bootAndServe(Console& console, Boot& boot) {
  auto io = setupLoop();
  // Ctrl-Alt-Del and its like are a signal to PID 1, not the end at once.
  ::reboot(RB_DISABLE_CAD);

  kj::Maybe<kj::AutoCloseFd> listener;
  // Who dials from now on waits for the answer until boot is done.
  boot.openForHost([&]() {
    KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { listener = listenForHost(); })) {
      console.say(kj::str("cannot listen for the host: ", problem->getDescription()));
    }
  });
  boot.run();

  GateKey key;
  KJ_IF_MAYBE (secret, boot.secret()) {
    key = GateKey(kj::heapArray(*secret));
  }
  kj::Maybe<Agent&> served;
  auto programs = [&served]() -> Programs& { return KJ_ASSERT_NONNULL(served).programs; };
  MachineShutdown shutdown([&]() { return programs().reaper.onChildless(); },
                           [&]() { return programs().onAllDisposed(); },
                           [&]() {
                             programs().endStarts();
                             KJ_ASSERT_NONNULL(served).actions.close();
                             KJ_ASSERT_NONNULL(served).setup.close();
                           },
                           [&]() { return programs().anybodys; }, boot.dataMount(),
                           boot.controlGroups().map(pathOfPrograms));
  Power power(io.provider->getTimer(), shutdown);
  ShutdownSchedule schedule(io.provider->getTimer(), power, SHUTDOWN_SCHEDULE, unixMicros);
  // Before the agent: signals that came during boot are obeyed by the first turn of the loop.
  PowerSignals signals(
      io.unixEventPort, [&](PowerOrder order) { power.end(order.ending, order.grace); },
      [&]() { schedule.reread(); });
  const bool hasDataDisk = boot.disk().is<DiskReady>();
  Programs::Options options;
  KJ_IF_MAYBE (groups, boot.controlGroups()) {
    options.cgroupRoot = groups->path();
    options.cgroupNamespace = groups->programs.map([](auto& fd) { return fd.get(); });
  }
  KernelMachineClock clock;
  KernelMachineSleep sleep(io.provider->getTimer(), groupsOfUsers(boot.controlGroups()),
                           boot.dataMount());
  auto systemOf = [&](ProgramMark mark) {
    return newSystemFacet({[&boot](auto report) { writeReport(boot, report); },
                           hasDataDisk ? DiskSpace::TOLD : DiskSpace::NOT_TOLD, power, mark});
  };
  Agent agent(io, kj::mv(options), systemOf, kj::mv(key), ACTION_DIRECTORY, clock,
              hasDataDisk ? WorkspaceSetup::Disk::PRESENT : WorkspaceSetup::Disk::NONE, sleep);
  served = agent;
  auto ownGroups =
      boot.controlGroups().map([](const ControlGroups& groups) { return groups.path(); });
  LoopWatcher watcher(agent.programs.touches,
                      LoopWatcher::optionsOfMachine(
                          ownGroups.map([](const kj::String& path) { return path.asPtr(); })));
  auto programsGroup = boot.controlGroups().map(pathOfPrograms);
  MachineEvents events(agent.programs, agent.connections.events(),
                       hasDataDisk ? MachineEvents::Disk::PRESENT : MachineEvents::Disk::NONE,
                       programsGroup.map([](const kj::String& path) { return path.asPtr(); }));

  kj::Maybe<WakeLocks> wakeLocks;
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                 wakeLocks.emplace(
                     agent.programs, WakeLocks::Options(),
                     [&events](const WakeSummary& wakes) { events.noteWakes(wakes); });
               })) {
    console.say(kj::str("programs cannot take wake locks: ", problem->getDescription()));
  }

  HostOnly hostOnly;
  kj::Promise<void> serving = kj::NEVER_DONE;
  KJ_IF_MAYBE (fd, listener) {
    serving = agent.connections.serve(kj::heap<SocketReceiver>(
        io.unixEventPort, io.lowLevelProvider->wrapListenSocketFd(kj::mv(*fd), hostOnly)));
  }
  console.say(kj::str("ready after ", kernelClock() / kj::MILLISECONDS, " ms"));
  auto late = finishBoot(boot, agent.programs).eagerlyEvaluate([](kj::Exception&& e) {
    KJ_LOG(ERROR, "the boot was not finished", e.getDescription());
  });
  serving.wait(io.waitScope);
}

[[noreturn]] void runAsInit() {
  // The kernel calls it after its file, which is /init.
  ::prctl(PR_SET_NAME, "bothy-agent");
  std::set_terminate(endMachine);
  openConsole();
  Console console(STDERR_FILENO);
  ConsoleLog log(console);
  Boot boot(console);
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { bootAndServe(console, boot); })) {
    console.say(kj::str("FATAL ", problem->getDescription()));
  }
  endMachine();
}

// The name of this process's user, without NSS, which a static program has not.
kj::String ownName() {
  FILE* users = ::fopen("/etc/passwd", "re");
  if (users != nullptr) {
    KJ_DEFER(::fclose(users));
    while (auto user = ::fgetpwent(users)) {
      if (user->pw_uid == ::getuid()) {
        return kj::str(user->pw_name);
      }
    }
  }
  return kj::str("user");
}

int serveDescriptor(ServeDescriptor served) {
  Console console(STDERR_FILENO);
  ConsoleLog log(console);
  int listening = 0;
  socklen_t length = sizeof(listening);
  if (::getsockopt(served.socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0) {
    console.say(kj::str("descriptor ", served.socket, " is no socket: ", strerror(errno)));
    return EXIT_USAGE;
  }
  // Whoever started it may be killed: then nobody is left to end it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  kj::AutoCloseFd socket(served.socket), secretSource(served.secret);
  for (int fd : {socket.get(), secretSource.get()}) {
    KJ_SYSCALL(::fcntl(fd, F_SETFD, FD_CLOEXEC));
  }
  GateKey key(readSecret(secretSource.get()));
  secretSource = nullptr;

  auto io = setupLoop();
  Programs::Options options;
  options.defaultUser = ownName();
  auto systemOf = [](ProgramMark mark) {
    return newSystemFacet({writeReportWithoutBoot, DiskSpace::NOT_TOLD, nullptr, mark});
  };
  Agent agent(io, kj::mv(options), systemOf, kj::mv(key), nullptr);
  if (listening != 0) {
    agent.connections
        .serve(kj::heap<SocketReceiver>(io.unixEventPort,
                                        io.lowLevelProvider->wrapListenSocketFd(kj::mv(socket))))
        .wait(io.waitScope);
  } else {
    agent.connections.add(kj::heap<SocketStream>(io.unixEventPort, kj::mv(socket)));
    agent.connections.onEmpty().wait(io.waitScope);
  }
  return 0;
}

}  // namespace
}  // namespace bothy

int main(int argc, char* argv[]) {
  using namespace bothy;
  auto role = ::getpid() == 1 ? Role::INIT : Role::ORDINARY;
  if (role == Role::INIT) {
    PowerSignals::capture();
  }
  if (isArchiveWorker(argc, argv)) {
    confineArchiveWorker();
    return archiveWorkerMain(argc, argv);
  }
  if (isActionWriter(argc, argv)) {
    return actionWriterMain(argv);
  }
  if (isRemovalWorker(argc, argv)) {
    return removalWorkerMain(argv);
  }
  if (isSetupWorker(argc, argv)) {
    return setupWorkerMain(argv);
  }
  if (isWakeService(argc, argv)) {
    return wakeServiceMain();
  }
  if (isFileWorker(argc, argv)) {
    return fileWorkerMain();
  }
  tuneMemory();
  ::signal(SIGPIPE, SIG_IGN);
  const char* const* words = argv;
  auto options = parseOptions(role, kj::arrayPtr(words, argc).slice(argc > 0 ? 1 : 0, argc));
  KJ_SWITCH_ONEOF(options) {
    KJ_CASE_ONEOF(init, BootMachine) {
      runAsInit();
    }
    KJ_CASE_ONEOF(version, ShowVersion) {
      puts(BOTHY_VERSION);
      return 0;
    }
    KJ_CASE_ONEOF(served, ServeDescriptor) {
      int code = 0;
      KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { code = serveDescriptor(served); })) {
        fprintf(stderr, "bothy-agent: %s\n", problem->getDescription().cStr());
        return 1;
      }
      return code;
    }
    KJ_CASE_ONEOF(wrong, WrongUsage) {
      fprintf(stderr, "bothy-agent: %s\n%s", wrong.problem.cStr(), USAGE);
      return EXIT_USAGE;
    }
  }
  return EXIT_USAGE;
}
