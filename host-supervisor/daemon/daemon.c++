// bothyd's composition root: what there is, in which order, who gets what.

#include "daemon/daemon.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <kj/async-unix.h>
#include <kj/debug.h>
#include <kj/vector.h>

#include "activity/activity-keeper.h"
#include "activity/workspace-idle-world.h"
#include "config/arguments.h"
#include "control/control-server.h"
#include "control/session-facet.h"
#include "control/supervisor-facet.h"
#include "daemon/claims.h"
#include "doctor/host-examiner.h"
#include "doctor/linux-host-facts.h"
#include "image/image-catalog.h"
#include "keys/local-keyring.h"
#include "keys/message-code.h"
#include "logging/log.h"
#include "loop/core-dumps.h"
#include "loop/open-files.h"
#include "loop/signals.h"
#include "loop/subreaper.h"
#include "loop/worker-thread.h"
#include "metering/metering.h"
#include "store/sqlite-store.h"
#include "user/user-workspaces.h"
#include "vm/libvirt-driver.h"
#include "vm/versions.h"
#include "volume/encrypted-volume-store.h"
#include "wire/escape.h"
#include "wire/event-loop.h"
#include "workspace/workspace-manager.h"

namespace bothy {
namespace {

enum ExitCode { SUCCESS = 0, FAILURE = 1, WRONG_USAGE = 2 };

Deadlines deadlinesOf(const Settings& settings) {
  Deadlines deadlines;
  if (settings.bootLimitSeconds > 0) {
    deadlines.agentReadyKvm = settings.bootLimitSeconds * kj::SECONDS;
    deadlines.agentReadyTcg = deadlines.agentReadyKvm;
  }
  return deadlines;
}

EventLimits eventLimits() {
  EventLimits limits;
  limits.perWorkspace = rpc::MAX_EVENTS_OF_WORKSPACE;
  limits.age = int64_t{rpc::EVENT_DAYS} * kj::DAYS;
  limits.total = rpc::MAX_EVENTS;
  return limits;
}

uint32_t hostMemoryMib() {
  struct sysinfo info{};
  KJ_SYSCALL(sysinfo(&info));
  return static_cast<uint32_t>(
      kj::min(uint64_t{info.totalram} * info.mem_unit >> 20, uint64_t{MAX_MEMORY_MIB}));
}

kj::String nameOfHost() {
  struct utsname host{};
  KJ_SYSCALL(uname(&host));
  return kj::str(host.nodename);
}

// But for its disk.
HostSize hostSize() {
  return {hostMemoryMib(), static_cast<uint32_t>(get_nprocs()), 0};
}

HostSize hostSize(kj::StringPtr stateDir) {
  struct statvfs disk{};
  KJ_SYSCALL(statvfs(stateDir.cStr(), &disk), stateDir);
  auto size = hostSize();
  size.diskMib = uint64_t{disk.f_blocks} * disk.f_frsize >> 20;
  return size;
}

ExaminedPlaces examinedPlaces(const Settings& settings) {
  const HostSize host = hostSize();
  const auto policy = policyFor(settings.capacity, host);
  return {kj::str(settings.stateDir),
          kj::str(settings.runtimeDir),
          settings.firstUid,
          settings.uidCount,
          uint64_t{settings.defaultDiskMib} << 20,
          {host.memoryMib, host.cpus, policy.memoryMib, policy.cpus, settings.defaultMemoryMib,
           settings.capacity.diskPercent}};
}

struct MachinePrograms {
  kj::String emulator;
  kj::String vsockDevice;
  kj::String storageDaemon;
  uint32_t probeUser;
};

// What machines are made with as it is now; what the driver found by trying holds until bothyd ends.
kj::Promise<Machinery> lookAtMachinery(kj::UnixEventPort& port, Subreaper& reaper,
                                       const HostAbilities& abilities,
                                       const MachinePrograms& programs) {
  auto emulator = co_await emulatorVersion(port, reaper, programs.emulator, programs.probeUser);
  co_return Machinery{abilities.accelerator == HostAbilities::Accelerator::KVM,
                      kj::str(abilities.acceleratorReason),
                      abilities.vsock == HostAbilities::Vsock::KERNEL,
                      kj::str(abilities.vsockReason),
                      kj::str(programs.vsockDevice),
                      libvirtVersion(),
                      kj::mv(emulator.text),
                      kj::mv(emulator.fault),
                      kj::str(programs.storageDaemon)};
}

// A guest that is up answers a dial in milliseconds.
constexpr kj::Duration DIALS_LIMIT = 500 * kj::MILLISECONDS;
// What consoles have said is written in milliseconds to a disk that is not slow.  Who ends bothyd waits less than a second in all.
constexpr kj::Duration CONSOLES_LIMIT = 250 * kj::MILLISECONDS;

// Also to whoever started it at a terminal, where the log is a file.
void tellWhyItEnds(const kj::Exception& e, const Settings& settings) {
  KJ_LOG(ERROR, "bothyd cannot go on", e.getDescription());
  if (settings.logFile.size() == 0) return;
  fprintf(stderr, "bothyd: it cannot go on: %s\n",
          escapeGuestText(e.getDescription().asArray()).cStr());
}

// Carries out `work`; if it fails the process ends at once.  Nothing is taken apart that was there before: what is on the disk is whole at
// every moment, since a kill is an ordinary end; a libvirt call under way may wait for a child that only the event loop collects, and a
// thread for a disk that hangs.
void endUnlessDone(const Settings& settings, kj::FunctionParam<void()> work) {
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { work(); })) {
    tellWhyItEnds(*e, settings);
    _exit(FAILURE);
  }
}

kj::Own<kj::ConnectionReceiver> receiverOf(kj::AsyncIoContext& io, kj::AutoCloseFd socket) {
  return io.lowLevelProvider->wrapListenSocketFd(
      kj::mv(socket),
      kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC | kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK);
}

// Above the numbers of all clients of the operators' socket.
constexpr uint64_t FIRST_SESSION_CLIENT = uint64_t{1} << 63;

// From the sockets to the end of bothyd.  Where it fails before it serves, what is taken apart here has done nothing yet.
[[noreturn]] void serveClients(const Settings& settings, kj::AsyncIoContext& io, const World& world,
                               WorkspaceManager& manager, SessionRegistry& sessions,
                               ActivityKeeper& activity, Metering& metering, UserWorkspaces& users,
                               HostExaminer& examiner) {
  auto& timer = io.provider->getTimer();
  auto socketPath = settings.socketPath(), sessionSocketPath = settings.sessionSocketPath();
  // First that of sessions: who finds that of operators finds both.
  auto sessionReceiver = receiverOf(
      io, listenOn(sessionSocketPath, settings.sessionSocketGroup, settings.sessionSocketMode));
  auto receiver = receiverOf(io, listenOn(socketPath, settings.socketGroup));
  kj::StringPtr version = BOTHY_VERSION;
  ThreadPeerLooks looks(timer);
  LaneKeeper lanes(timer, looks);
  auto start = nameOfStart(world.randomness);
  EventWatches watches(timer);
  SupervisorFacet::Rooms rooms{manager,  world.events, world.driver.abilities(),
                               examiner, lanes,        watches,
                               sessions, activity,     metering,
                               users,    version,      start};
  // Half of the places stay for who is known.
  SubordinateUids uidOwners(timer, settings.maxConnections / 2);
  ControlServer server(
      timer, lanes.descriptors, uidOwners,
      [&rooms](ClientIdentity client) { return kj::heap<SupervisorFacet>(rooms, client); },
      settings.maxConnections, kj::systemPreciseMonotonicClock());
  RefusalPace refusals(timer);
  EventWatches sessionWatches(timer);
  SessionGateFacet::Rooms gate{manager,  world.events,  world.driver.abilities(),
                               lanes,    sessions,      activity,
                               refusals, sessionWatches};
  // With limits of its own: who has a token keeps no operator out.
  ControlServer sessionServer(
      timer, lanes.descriptors, uidOwners,
      [&gate](ClientIdentity client) { return kj::heap<SessionGateFacet>(gate, client); },
      settings.maxConnections, kj::systemPreciseMonotonicClock(), sharedCloser(),
      FIRST_SESSION_CLIENT);
  auto workspaces = manager.size();
  KJ_LOG(INFO, "bothyd serves", version, socketPath, sessionSocketPath, workspaces);

  auto serving = server.listen(*receiver).then([]() -> int { KJ_UNREACHABLE; });
  auto servingSessions =
      sessionServer.listen(*sessionReceiver).then([]() -> int { KJ_UNREACHABLE; });
  auto fenced = world.store.untilFenced().then([]() -> int { KJ_UNREACHABLE; });
  auto booking = metering.run().then([]() -> int { KJ_UNREACHABLE; });
  endUnlessDone(settings, [&]() {
    auto& scope = io.waitScope;
    const int signal = onStopSignal(io.unixEventPort)
                           .exclusiveJoin(kj::mv(serving))
                           .exclusiveJoin(kj::mv(servingSessions))
                           .exclusiveJoin(kj::mv(fenced))
                           .exclusiveJoin(kj::mv(booking))
                           .wait(scope);
    KJ_LOG(INFO, "bothyd ends; machines go on", signal);
    unlink(socketPath.cStr());
    unlink(sessionSocketPath.cStr());
    auto late = timer.afterDelay(CONSOLES_LIMIT).then([]() {
      KJ_LOG(WARNING, "the end of consoles is not recorded: the host's disk is slow");
    });
    world.driver.whenConsolesWritten().exclusiveJoin(kj::mv(late)).wait(scope);
    // The last: a dial may begin once it is not held off any more.
    world.driver.whenNotDialling().exclusiveJoin(timer.afterDelay(DIALS_LIMIT)).wait(scope);
    _exit(SUCCESS);
  });
  KJ_UNREACHABLE;
}

[[noreturn]] void serve(const Settings& settings, kj::FunctionParam<World(World)>& within) {
  forbidCoreDumps();
  raiseOpenFileLimit();
  // Before anything is made: who is not root learns that, and not which call failed.
  LinuxHostFacts facts;
  requireFit(examineHost(facts, examinedPlaces(settings)));
  makeDirectory(settings.stateDir);
  makeDirectory(settings.runtimeDir);
  auto lock = lockState(settings.stateDir);
  auto userIds = claimUserIds(settings.firstUid, settings.uidCount);

  captureSignals();
  auto io = setupEventLoop();
  auto& scope = io.waitScope;
  Subreaper reaper(io.unixEventPort);

  LibvirtDriverSettings driverSettings;
  driverSettings.uri = kj::str(settings.libvirtUri);
  driverSettings.stateDir = kj::str(settings.stateDir, "/vm");
  driverSettings.runtimeDir = kj::str(settings.runtimeDir, "/driver");
  driverSettings.probeUser = settings.firstUid + settings.uidCount;
  driverSettings.killSender = driverSettings.probeUser + 1;
  makeDirectory(driverSettings.stateDir);
  makeDirectory(driverSettings.runtimeDir);
  MachinePrograms programs{kj::str(driverSettings.emulator), kj::str(driverSettings.vsockDevice),
                           kj::str(driverSettings.storageDaemon), driverSettings.probeUser};
  auto driver = openLibvirtDriver(io, reaper, kj::mv(driverSettings)).wait(scope);
  auto& abilities = driver->abilities();
  auto look = [&]() { return lookAtMachinery(io.unixEventPort, reaper, abilities, programs); };
  // Among others that TCG, if machines run under it, isolates nobody.
  requireFit(examineMachinery(facts, look().wait(scope)));
  HostExaminer examiner(facts, examinedPlaces(settings), look);
  if (abilities.vsock == HostAbilities::Vsock::VHOST_USER) {
    KJ_LOG(INFO, "machines have a vhost-user vsock device", abilities.vsockReason);
  }

  auto store = openSqliteStore(io.provider->getTimer(), kj::str(settings.stateDir, "/bothyd.db"),
                               eventLimits());
  EventLog events(*store);
  auto keys = openLocalKeyring(io.provider->getTimer(), kj::str(settings.stateDir, "/keys"),
                               settings.keyProtector());
  EncryptedVolumeStore volumes(io.provider->getTimer(), kj::str(settings.stateDir, "/volumes"),
                               &messageCode);
  InstalledImages images(settings.imagePath());
  DiskWorkspaceFiles files(
      kj::heap<WorkerThread>(io.provider->getTimer(), "the disk of machines' files"),
      settings.runtimeDir, settings.stateDir);
  KernelRandomness randomness;
  WorkspaceManager::Limits limits{
      SpecDefaults{settings.defaultCpus, settings.defaultMemoryMib, settings.defaultDiskMib},
      settings.tiers,
      {settings.firstUid, settings.uidCount},
      hostMemoryMib(),
      policyFor(settings.capacity, hostSize(settings.stateDir)),
      settings.maxSessions};
  auto world = within(World{*store, events, *keys, volumes, *driver, images, files, randomness,
                            io.provider->getTimer(), kj::systemPreciseCalendarClock(),
                            deadlinesOf(settings)});
  auto hostName = nameOfHost();
  world.hostName = hostName;
  WorkspaceManager manager(world, kj::mv(limits));
  // Nobody may connect before the list is complete (P41).
  endUnlessDone(settings,
                [&]() { manager.recover().exclusiveJoin(store->untilFenced()).wait(scope); });
  SessionRegistry sessions(world, manager, {settings.maxSessions});
  sessions.enter(manager.takeSessions());
  WorkspaceIdleWorld idleWorld(world.timer, manager, settings.idle);
  ActivityKeeper activity(
      {world.timer, world.clock, world.randomness, world.events, world.store, idleWorld});
  activity.enter(manager.takeActivities(), manager.takeWakeLocks());
  auto usage =
      openSqliteUsageStore(io.provider->getTimer(), kj::str(settings.stateDir, "/usage.db"));
  RegisteredHost metered(manager, world.driver, world.clock);
  Metering metering(*usage, events, metered, io.provider->getTimer());
  UserWorkspaces users(manager, randomness);
  // What reading the rows took: several times what is kept of them.
  malloc_trim(0);
  endUnlessDone(settings, [&]() {
    serveClients(settings, io, world, manager, sessions, activity, metering, users, examiner);
  });
  KJ_UNREACHABLE;
}

}  // namespace

int runDaemon(kj::ArrayPtr<const kj::StringPtr> arguments, kj::FunctionParam<World(World)> within) {
  auto task = readArguments(arguments);
  KJ_SWITCH_ONEOF(task) {
    KJ_CASE_ONEOF(help, ShowHelp) {
      fputs(helpText().cStr(), stdout);
    }
    KJ_CASE_ONEOF(version, ShowVersion) {
      puts("bothyd " BOTHY_VERSION);
    }
    KJ_CASE_ONEOF(check, CheckConfig) {
      puts("the configuration is good");
    }
    KJ_CASE_ONEOF(faults, Faults) {
      for (auto& line : faults.lines) fprintf(stderr, "bothyd: %s\n", line.cStr());
      return WRONG_USAGE;
    }
    KJ_CASE_ONEOF(serving, Serve) {
      auto& settings = serving.settings;
      kj::Maybe<Log> log;
      KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                     log.emplace(settings.logFormat, settings.logLevel, settings.logFile);
                   })) {
        fprintf(stderr, "bothyd: log-file: %s\n",
                escapeGuestText(exception->getDescription().asArray()).cStr());
        return FAILURE;
      }
      KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { serve(settings, within); })) {
        tellWhyItEnds(*exception, settings);
        return FAILURE;
      }
    }
  }
  return SUCCESS;
}

}  // namespace bothy
