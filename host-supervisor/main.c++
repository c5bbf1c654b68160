// bothyd's composition root: what there is, in which order, who gets what.

#include <errno.h>
#include <fcntl.h>
#include <kj/async-unix.h>
#include <kj/debug.h>
#include <kj/main.h>
#include <kj/vector.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/arguments.h"
#include "control/control-server.h"
#include "control/supervisor-facet.h"
#include "doctor/host-examiner.h"
#include "doctor/linux-host-facts.h"
#include "logging/log.h"
#include "loop/core-dumps.h"
#include "loop/signals.h"
#include "loop/subreaper.h"
#include "store/sqlite-store.h"
#include "vm/libvirt-driver.h"
#include "vm/versions.h"
#include "volume/raw-volume-store.h"
#include "workspace/workspace-manager.h"

namespace bothy {
namespace {

enum ExitCode { SUCCESS = 0, FAILURE = 1, WRONG_USAGE = 2 };

// The users of machines pass through these directories to what is theirs, and may not look around.
constexpr mode_t PASSAGE = 0711;

constexpr const char* USER_IDS_LOCK = "/run/lock/bothy-user-ids";

void makeDirectory(kj::StringPtr path) {
  if (mkdir(path.cStr(), PASSAGE) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno, path);
  KJ_SYSCALL(chmod(path.cStr(), PASSAGE), path);
}

// Two supervisors over one state would each believe to be alone.  Held until the process ends.
kj::AutoCloseFd lockState(kj::StringPtr stateDir) {
  auto path = kj::str(stateDir, "/lock");
  int raw;
  KJ_SYSCALL(raw = open(path.cStr(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), path);
  kj::AutoCloseFd fd(raw);
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    int error = errno;
    if (error == EWOULDBLOCK) {
      KJ_FAIL_REQUIRE("another bothyd runs on this state directory", stateDir);
    }
    KJ_FAIL_SYSCALL("flock", error, path);
  }
  return fd;
}

// A machine's user id is what all that belongs to it is known by: two supervisors that gave out the same
// would end each other's machines.  One file of the host, in which byte N stands for user id N; held
// until the process ends.  The id after the last is the probe's.
kj::AutoCloseFd claimUserIds(uint32_t first, uint32_t count) {
  int raw;
  KJ_SYSCALL(raw = open(USER_IDS_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600),
             USER_IDS_LOCK);
  kj::AutoCloseFd fd(raw);
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = count + 1;
  if (fcntl(fd, F_OFD_SETLK, &range) < 0) {
    int error = errno;
    if (error == EAGAIN || error == EACCES) {
      KJ_FAIL_REQUIRE(
          "another bothyd of this host gives out user ids of the same range: set first-uid", first,
          count);
    }
    KJ_FAIL_SYSCALL("fcntl", error, USER_IDS_LOCK);
  }
  return fd;
}

ExaminedPlaces examinedPlaces(const Settings& settings) {
  return {kj::str(settings.stateDir), kj::str(settings.runtimeDir), settings.firstUid,
          settings.uidCount, uint64_t{settings.defaultDiskMib} << 20};
}

struct MachinePrograms {
  kj::String emulator;
  kj::String vsockDevice;
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
                      kj::mv(emulator.fault)};
}

[[noreturn]] void serve(const Settings& settings) {
  forbidCoreDumps();
  // Before anything is made: who is not root learns that, and not which call failed.
  LinuxHostFacts facts;
  requireFit(examineHost(facts, examinedPlaces(settings)));
  makeDirectory(settings.stateDir);
  makeDirectory(settings.runtimeDir);
  auto lock = lockState(settings.stateDir);
  auto userIds = claimUserIds(settings.firstUid, settings.uidCount);

  captureSignals();
  auto io = kj::setupAsyncIo();
  auto& scope = io.waitScope;
  Subreaper reaper(io.unixEventPort);

  LibvirtDriverSettings driverSettings;
  driverSettings.uri = kj::str(settings.libvirtUri);
  driverSettings.stateDir = kj::str(settings.stateDir, "/vm");
  driverSettings.probeUser = settings.firstUid + settings.uidCount;
  makeDirectory(driverSettings.stateDir);
  MachinePrograms programs{kj::str(driverSettings.emulator), kj::str(driverSettings.vsockDevice),
                           driverSettings.probeUser};
  auto driver = openLibvirtDriver(io, reaper, kj::mv(driverSettings)).wait(scope);
  auto& abilities = driver->abilities();
  auto look = [&]() { return lookAtMachinery(io.unixEventPort, reaper, abilities, programs); };
  // Among others that TCG, if machines run under it, isolates nobody.
  requireFit(examineMachinery(facts, look().wait(scope)));
  HostExaminer examiner(facts, examinedPlaces(settings), look);
  if (abilities.vsock == HostAbilities::Vsock::VHOST_USER) {
    KJ_LOG(INFO, "machines have a vhost-user vsock device", abilities.vsockReason);
  }

  auto store = newSqliteStore(kj::str(settings.stateDir, "/bothyd.db"), rpc::MAX_EVENTS);
  EventLog events(*store);
  RawVolumeStore volumes(kj::str(settings.stateDir, "/volumes"));
  InstalledImages images(settings.imagePath());
  DiskWorkspaceFiles files(settings.runtimeDir, settings.stateDir);
  KernelRandomness randomness;
  WorkspaceManager::Limits limits{
      SpecDefaults{settings.defaultCpus, settings.defaultMemoryMib, settings.defaultDiskMib},
      settings.firstUid, settings.uidCount};
  WorkspaceManager manager(
      World{*store, events, volumes, *driver, images, files, randomness, io.provider->getTimer(),
            kj::systemPreciseCalendarClock(), Deadlines()},
      limits);
  // Nobody may connect before the list is complete (P41).
  manager.recover().wait(scope);

  auto socketPath = settings.socketPath();
  auto socket = listenOn(socketPath, settings.socketGroup);
  auto receiver = io.lowLevelProvider->wrapListenSocketFd(
      kj::mv(socket),
      kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC | kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK);
  ControlServer server(
      kj::heap<SupervisorFacet>(manager, events, abilities, examiner, kj::StringPtr(BOTHY_VERSION)),
      settings.maxConnections);
  kj::StringPtr version = BOTHY_VERSION;
  auto workspaces = manager.list().size();
  KJ_LOG(INFO, "bothyd serves", version, socketPath, workspaces);

  auto serving = server.listen(*receiver).then([]() -> int { KJ_UNREACHABLE; });
  int signal = onStopSignal(io.unixEventPort).exclusiveJoin(kj::mv(serving)).wait(scope);
  KJ_LOG(INFO, "bothyd ends; machines go on", signal);
  unlink(socketPath.cStr());
  // Nothing is taken apart: what is on the disk is whole at every moment, since a kill is an ordinary
  // end, and a libvirt call under way may wait for a child that only the event loop collects.
  _exit(SUCCESS);
}

int run(kj::ArrayPtr<const kj::StringPtr> arguments) {
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
      Log log(settings.logFormat, settings.logLevel, settings.logFile);
      KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { serve(settings); })) {
        KJ_LOG(ERROR, "bothyd cannot go on", exception->getDescription());
        return FAILURE;
      }
    }
  }
  return SUCCESS;
}

}  // namespace
}  // namespace bothy

int main(int argc, char* argv[]) {
  kj::Vector<kj::StringPtr> arguments;
  for (int i = 1; i < argc; i++) arguments.add(argv[i]);
  return bothy::run(arguments);
}
