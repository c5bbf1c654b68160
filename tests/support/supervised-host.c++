#include "support/supervised-host.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>

#include "support/host-program.h"

namespace bothy {

namespace {

constexpr int END_LIMIT_MILLIS = 30000;

constexpr uint32_t FIRST_TEST_UID = 100000000;
constexpr uint32_t TEST_UID_RANGES = 100000;
// Each rests for a minute between two machines, and a test may start some a second.
constexpr uint32_t UIDS_PER_HOST = 512;
// bothyd claims two more than it gives to machines.
constexpr uint32_t UID_STRIDE = UIDS_PER_HOST + 2;

kj::String makeDirectory() {
  char path[] = "/tmp/bothy-test-XXXXXX";
  KJ_ASSERT(mkdtemp(path) != nullptr);
  // Machines run under uids of their own and must be able to pass through.
  KJ_SYSCALL(chmod(path, 0711));
  return kj::heapString(path);
}

// What libvirt found out of QEMU's abilities, which takes a second at a host's first boot, is handed from host to host.  libvirt
// knows itself when it does not hold any more.  With KVM it finds others.
kj::String keptAbilities() {
  return kj::str(BOTHY_ABILITIES, access("/dev/kvm", F_OK) == 0 ? "-kvm" : "");
}

void leaveAbilities(kj::StringPtr root) {
  auto kept = keptAbilities();
  auto copy = kj::str(kept, "-", getpid());
  runProgram(
      {"/bin/sh"_kj, "-c"_kj,
       kj::str("cd ", root, "/state/vm/qemu-abilities && [ -e qemu/capabilities ] && ! diff -rq . ",
               kept, " && cp -r . ", copy, " && { rm -rf ", kept, "; mv -T ", copy, " ", kept,
               " || rm -r ", copy, "; }")});
}

}  // namespace

SupervisedHost::SupervisedHost() : SupervisedHost(Options{}) {}

SupervisedHost::SupervisedHost(Options options)
    : io(kj::setupAsyncIo()),
      scope(io.waitScope),
      timer(io.provider->getTimer()),
      program(kj::heapString(options.program)),
      settings(kj::heapString(options.settings)),
      root(makeDirectory()),
      exceptionsBefore(std::uncaught_exceptions()) {
  KJ_REQUIRE(geteuid() == 0, "scenarios on real machines need root, as bothyd does");
  // Where the build is, a machine's user may not be able to go.
  auto images = options.image.size() > 0 ? options.image : "."_kj;
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("cd " BOTHY_IMAGES " && mkdir ", root, "/images && { cp -rl ", images, " ",
                      root, "/images 2>/dev/null || cp -r ", images, " ", root, "/images; }")});
  takeAbilities();
  start();
}

SupervisedHost::~SupervisedHost() noexcept(false) {
  connection = nullptr;
  if (std::uncaught_exceptions() > exceptionsBefore || getenv("BOTHY_KEEP_LOGS") != nullptr)
    keepLogs();
  removeMachines();
  leaveAbilities(root);
  hostOutput({"/bin/rm"_kj, "-rf"_kj, "--one-file-system"_kj, root});
}

void SupervisedHost::takeAbilities() {
  auto kept = keptAbilities();
  runProgram({"/bin/sh"_kj, "-c"_kj,
              kj::str("[ ! -d ", kept, " ] || { cd ", root, " && mkdir -p -m 711 state state/vm",
                      " && cp -rT ", kept, " state/vm/qemu-abilities; }")});
}

void SupervisedHost::start() {
  KJ_REQUIRE(daemon == -1);
  auto config = kj::str(root, "/bothyd.conf");
  int fd;
  KJ_SYSCALL(fd = open(config.cStr(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  kj::FdOutputStream file((kj::AutoCloseFd(fd)));
  // Machines are ended by their user id, so no two supervisors of this host may share a range.
  const uint32_t firstUid = FIRST_TEST_UID + getpid() % TEST_UID_RANGES * UID_STRIDE;
  auto text =
      kj::str("state-dir = ", root, "/state\nruntime-dir = ", root, "/run\nimage-dir = ", root,
              "/images\nfirst-uid = ", firstUid, "\nuid-count = ", UIDS_PER_HOST, "\n", settings);
  file.write(text.begin(), text.size());

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  KJ_DEFER(posix_spawn_file_actions_destroy(&actions));
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log().cStr(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const char* const argv[] = {program.cStr(), "--config", config.cStr(), nullptr};
  int error =
      posix_spawn(&daemon, argv[0], &actions, nullptr, const_cast<char* const*>(argv), environ);
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawn", error, argv[0]);
}

void SupervisedHost::stop(int signal) {
  KJ_REQUIRE(daemon != -1);
  KJ_SYSCALL(kill(daemon, signal));
  awaitEnd();
}

int SupervisedHost::awaitEnd() {
  KJ_REQUIRE(daemon != -1);
  int pidfd;
  KJ_SYSCALL(pidfd = syscall(SYS_pidfd_open, daemon, 0));
  kj::AutoCloseFd owned(pidfd);
  struct pollfd ended = {pidfd, POLLIN, 0};
  int ready;
  KJ_SYSCALL(ready = poll(&ended, 1, END_LIMIT_MILLIS));
  if (ready == 0) {
    KJ_SYSCALL(kill(daemon, SIGKILL));
  }
  int status;
  KJ_SYSCALL(waitpid(daemon, &status, 0));
  daemon = -1;
  // Not before: a client that leaves a bothyd that still runs ends its lanes.
  connection = nullptr;
  KJ_REQUIRE(ready == 1, "bothyd does not end", status);
  return status;
}

void SupervisedHost::restart(int signal) {
  stop(signal);
  start();
}

kj::Own<RpcConnection> SupervisedHost::connect() {
  auto address =
      wait(io.provider->getNetwork().parseAddress(kj::str("unix:", socket())), "the socket's name");
  auto deadline = now() + LIMIT;
  for (;;) {
    kj::Maybe<kj::Own<kj::AsyncIoStream>> attempt;
    address->connect()
        .then([&](auto stream) { attempt = kj::mv(stream); }, [](kj::Exception&&) {})
        .wait(scope);
    KJ_IF_MAYBE (stream, attempt) {
      return kj::heap<RpcConnection>(stream->downcast<kj::AsyncCapabilityStream>(), 1);
    }
    int status;
    if (waitpid(daemon, &status, WNOHANG) == daemon) {
      daemon = -1;
      KJ_FAIL_REQUIRE("bothyd ended", status, hostOutput({"/bin/cat"_kj, log()}));
    }
    KJ_REQUIRE(timer.now() < deadline, "bothyd does not answer",
               hostOutput({"/bin/cat"_kj, log()}));
    // There is nothing to wait on until the daemon has made its socket.
    timer.afterDelay(20 * kj::MILLISECONDS).wait(scope);
  }
}

rpc::Supervisor::Client SupervisedHost::supervisor() {
  if (connection == nullptr) connection = connect();
  return KJ_ASSERT_NONNULL(connection)->bootstrap().castAs<rpc::Supervisor>();
}

kj::Maybe<rpc::WorkspaceState> SupervisedHost::stateOf(kj::StringPtr workspace) {
  auto request = supervisor().getRequest();
  request.setName(workspace);
  auto response = wait(request.send().dropPipeline(), "the state");
  if (response.getOutcome().isAbsent()) return nullptr;
  return response.getOutcome().getFound().getState();
}

void SupervisedHost::startWorkspace(kj::StringPtr workspace) {
  auto request = supervisor().startRequest();
  request.setName(workspace);
  auto response = wait(request.send().dropPipeline(), "the start", BOOT_LIMIT);
  KJ_REQUIRE(response.getOutcome().isStarted(), response.getOutcome());
}

rpc::Supervisor::StopKind SupervisedHost::stopWorkspace(kj::StringPtr workspace,
                                                        uint32_t graceMillis) {
  auto request = supervisor().stopRequest();
  request.setName(workspace);
  request.setGraceMillis(graceMillis);
  auto response = wait(request.send().dropPipeline(), "the stop", BOOT_LIMIT);
  KJ_REQUIRE(response.getOutcome().isStopped(), response.getOutcome());
  return response.getOutcome().getStopped();
}

void SupervisedHost::deleteWorkspace(kj::StringPtr workspace) {
  auto request = supervisor().deleteRequest();
  request.setName(workspace);
  auto response = wait(request.send().dropPipeline(), "the deletion");
  KJ_REQUIRE(response.getOutcome().isDeleted(), response.getOutcome());
  KJ_REQUIRE(stateOf(workspace) == nullptr, "a workspace that was deleted is there", workspace);
}

void SupervisedHost::keepLogs() {
  auto name = root.slice(root.findLast('/').orDefault(0) + 1);
  auto target = kj::str(BOTHY_LOGS "/", name);
  runProgram({"/bin/sh"_kj, "-c"_kj,
              kj::str("mkdir -p ", target, " && cd ", root,
                      " && cp --parents bothyd.log $(find . -name '*.log' -size -2M) ", target)});
  KJ_LOG(ERROR, "the scenario's logs are kept", target);
}

void SupervisedHost::removeMachines() {
  // In order first: bothyd removes what it made.  Then whatever a broken bothyd left behind.
  if (daemon != -1) {
    auto removal = kj::runCatchingExceptions([&]() {
      auto list = wait(supervisor().listRequest().send().dropPipeline(), "the list");
      for (auto workspace : list.getWorkspaces()) {
        deleteWorkspace(workspace.getSpec().getName());
      }
      stop(SIGTERM);
    });
    KJ_IF_MAYBE (exception, removal) {
      if (daemon != -1) stop(SIGKILL);
      KJ_LOG(ERROR, "the scenario's machines could not be deleted in order", *exception);
    }
  }
  // Every process of this test has its directory on its command line, and only those have.
  runProgram({"/usr/bin/pkill"_kj, "-KILL"_kj, "-f"_kj, kj::str("[", root[0], "]", root.slice(1))});
}

}  // namespace bothy
