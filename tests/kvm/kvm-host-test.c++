// What is different where the host has KVM and the kernel's vsock.  Runs on such a host, see run-in-kvm-host; all
// scenarios share one bothyd and, as a machine takes long to start there, one workspace that runs before and after each.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/debug.h>
#include <catch2/catch_session.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>

#include "lane/lane-descriptor.h"
#include "lane/lane-greeting.h"
#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "schema/limits.capnp.h"
#include "support/command-line.h"
#include "support/deaf-machine.h"
#include "support/event-record.h"
#include "support/greeted-lane.h"
#include "support/host-program.h"
#include "support/local-terminal.h"
#include "support/small-disk.h"
#include "support/test-workspace.h"
#include "support/unnoticed-restart.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

struct KvmHost {
  SupervisedHost host{{.program = BOTHYD_UNHURRIED, .image = "base"}};
  SmallDisk disk{host, "700M"};
  CommandLine bothy{host};
  TestWorkspace workspace{host};
};

kj::Maybe<kj::Own<KvmHost>> kvmHost;

KvmHost& theHost() {
  static bool wasTried = false;
  if (kvmHost == nullptr) {
    KJ_REQUIRE(!wasTried, "the first workspace did not start");
    wasTried = true;
    kvmHost = kj::heap<KvmHost>();
  }
  return *KJ_ASSERT_NONNULL(kvmHost);
}

// A client that runs a command, says so and holds it until it is killed.
constexpr kj::StringPtr CLIENT_OPTION = "--client"_kj;

int runClient(kj::StringPtr socket) {
  auto io = kj::setupAsyncIo();
  auto address =
      io.provider->getNetwork().parseAddress(kj::str("unix:", socket)).wait(io.waitScope);
  RpcConnection connection(
      address->connect().wait(io.waitScope).downcast<kj::AsyncCapabilityStream>(), 1);
  auto connect = connection.bootstrap().castAs<rpc::Supervisor>().connectRequest();
  connect.setName("test");
  connect.initWanted().setCommands();
  auto connected = connect.send().wait(io.waitScope);
  Lane lane(streamOf(connected.getLane(), io.unixEventPort).wait(io.waitScope),
            io.provider->getTimer());
  auto request =
      lane.bootstrap().castAs<rpc::Agent>().processesRequest().send().getProcesses().execRequest();
  auto argv = request.initCommand().initArgv(2);
  argv.set(0, "/bin/sleep");
  argv.set(1, "1003");
  auto response = request.send().wait(io.waitScope);
  KJ_REQUIRE(response.getOutcome().isStarted(), response.getOutcome());
  KJ_SYSCALL(write(STDOUT_FILENO, "begun\n", 6));
  kj::Promise<void>(kj::NEVER_DONE).wait(io.waitScope);
  return 0;
}

bool has(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

// `script`, run by the host's shell.
kj::String shell(kj::StringPtr script) {
  return hostOutput({"/bin/sh"_kj, "-c"_kj, script});
}

TEST_CASE("KVM and the kernel's vsock are found by trying, and told") {
  auto& k = theHost();
  auto version = k.bothy.run({"version"_kj});
  INFO(version.out.cStr());
  CHECK(has(version.out, "accelerator  kvm"));
  CHECK(has(version.out, "vsock        kernel"));
  auto response =
      k.host.wait(k.host.supervisor().doctorRequest().send().dropPipeline(), "the findings");
  int found = 0;
  for (auto finding : response.getFindings()) {
    if (finding.getName() != "accelerator" && finding.getName() != "vsock") continue;
    ++found;
    INFO(finding.getName().cStr());
    INFO(finding.getFound().cStr());
    CHECK(finding.getVerdict() == rpc::Verdict::OK);
  }
  CHECK(found == 2);
  CHECK(k.bothy.run({"doctor"_kj}).status == 0);
}

TEST_CASE("a machine runs under KVM on the host's processor, with the kernel's vsock") {
  auto& k = theHost();
  auto line = shell(kj::str("tr '\\0' ' ' < /proc/", k.workspace.qemu(), "/cmdline"));
  INFO(line.cStr());
  CHECK(has(line, "-accel kvm"));
  CHECK(has(line, "-cpu host"));
  CHECK(has(line, "vhost-vsock-pci"));
  CHECK(runProgram({"/usr/bin/pgrep"_kj, "-x"_kj, "vhost-device-vs"_kj}).status == 1);
  CHECK(k.workspace.shell("grep -m1 '^model name' /proc/cpuinfo") ==
        shell("grep -m1 '^model name' /proc/cpuinfo | tr -d '\\n'"));
}

TEST_CASE("S20 a machine has KVM by itself, and no group in common with another") {
  auto& k = theHost();
  const pid_t qemu = k.workspace.qemu();
  auto ids = shell(kj::str("stat -c '%u %g' /proc/", qemu));
  auto directory = kj::str(k.host.directory(), "/run/vms/", k.workspace.info().getId());
  INFO(ids.cStr());
  auto space = KJ_ASSERT_NONNULL(ids.findFirst(' '));
  auto uid = kj::heapString(ids.slice(0, space));
  CHECK(ids == kj::str(uid, " ", uid, "\n"));
  CHECK(shell(kj::str("grep '^Groups:' /proc/", qemu, "/status")) ==
        kj::str("Groups:\t", uid, " \n"));
  CHECK(shell(kj::str("stat -c '%u %g %a' ", directory)) == kj::str("0 ", uid, " 710\n"));
  // What the host lets its own users do with KVM is as it was.
  CHECK(shell("stat -c '%U %G %a' /dev/kvm") == "root kvm 660\n");
  CHECK(shell("getfacl -cp /dev/kvm 2>/dev/null | grep -c '^user:.' || true") == "0\n");
}

TEST_CASE("a command runs and a terminal echoes, by the kernel's vsock") {
  auto& k = theHost();
  auto ended = k.bothy.run(
      {"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj, "echo out; echo err >&2; exit 42"_kj});
  CHECK(ended.status == 42);
  CHECK(ended.out == "out\n");
  CHECK(ended.err == "err\n");
  TestTerminal terminal(k.workspace,
                        {.argv = {"/bin/sh"_kj, "-c"_kj, "stty size; read x; echo heard $x"_kj}});
  terminal.waitForText("24 80");
  terminal.type("it\r");
  terminal.waitForText("heard it");
  terminal.waitForExit();
}

TEST_CASE("P18 files go in and come out whole, by the kernel's vsock") {
  auto& k = theHost();
  auto here = kj::str(k.host.directory(), "/file"), back = kj::str(here, ".back");
  shell(kj::str("head -c 8M /dev/urandom > ", here));
  auto in = k.bothy.run({"cp"_kj, here, "test:/home/user/file"_kj});
  INFO(in.err.cStr());
  CHECK(in.status == 0);
  auto out = k.bothy.run({"cp"_kj, "test:/home/user/file"_kj, back});
  INFO(out.err.cStr());
  CHECK(out.status == 0);
  CHECK(runProgram({"/usr/bin/cmp"_kj, here, back}).status == 0);
  shell(kj::str("rm ", here, " ", back));
  k.workspace.shell("rm ~/file");
}

// Without any right of root's: what any process of the host may do.
constexpr uid_t NOBODY = 65534;

// Whether the agent took a lane from a process of nobody's that knows `secret`; it may have answered in any other way.
rpc::Refusal refusalOf(KvmHost& k, kj::StringPtr secret) {
  KJ_SYSCALL(setresuid(NOBODY, NOBODY, 0));
  KJ_DEFER(KJ_SYSCALL(setresuid(0, 0, 0)));
  auto stream = KJ_REQUIRE_NONNULL(k.workspace.dial(rpc::AGENT_PORT));
  auto lane = greet(k.host.scope, k.host.timer, kj::mv(stream), secret.asBytes(),
                    wholeGrant(rpc::Purpose::CONTROL));
  auto answer = k.host.wait(lane->answer(), "the answer to a stranger");
  KJ_REQUIRE(answer.is<LaneRefused>(), "a stranger was served");
  return answer.get<LaneRefused>().why;
}

TEST_CASE("S25 any process of the host may dial a guest, and gets nothing without the secret") {
  auto& k = theHost();
  auto silent = KJ_REQUIRE_NONNULL(k.workspace.dial(rpc::AGENT_PORT));
  CHECK(k.host.wait(silent->readAllBytes(), "the end of a silent connection").size() == 0);
  CHECK(k.workspace.dial(rpc::AGENT_PORT + 1) == nullptr);
  const auto wrong = kj::strArray(kj::repeat("s"_kj, rpc::SECRET_BYTES), "");
  CHECK(refusalOf(k, wrong) == rpc::Refusal::WRONG_SECRET);
  CHECK(refusalOf(k, ""_kj) == rpc::Refusal::WRONG_SECRET);
  CHECK(k.workspace.shell("echo undisturbed") == "undisturbed");
}

TEST_CASE(
    "S20 S25 QEMU has a network of its own, in which the host's kernel still has its one vsock") {
  auto& k = theHost();
  const pid_t qemu = k.workspace.qemu();
  auto networkOf = [](pid_t pid) { return shell(kj::str("readlink /proc/", pid, "/ns/net")); };
  CHECK(networkOf(qemu) != networkOf(k.host.pid()));
  CHECK(networkOf(k.host.pid()) == networkOf(getpid()));
  CHECK(shell(kj::str("grep -c : /proc/", qemu, "/net/dev")) == "1\n");
  CHECK(shell(kj::str("awk '/^Max processes/ { print $3 } /^Max open files/ { print $4 }' /proc/",
                      qemu, "/limits")) == "256\n1024\n");
  // Before Linux 7.0, vsock knows no namespaces: who is in a machine's reaches every guest as any process of the host does,
  // and gets as little.
  int ours, theirs;
  KJ_SYSCALL(ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  KJ_DEFER(close(ours));
  KJ_SYSCALL(theirs = open(kj::str("/proc/", qemu, "/ns/net").cStr(), O_RDONLY | O_CLOEXEC));
  KJ_DEFER(close(theirs));
  kj::Maybe<kj::Own<kj::AsyncIoStream>> silent;
  {
    KJ_SYSCALL(setns(theirs, CLONE_NEWNET));
    KJ_DEFER(KJ_SYSCALL(setns(ours, CLONE_NEWNET)));
    silent = k.workspace.dial(rpc::AGENT_PORT);
  }
  auto& stream = *KJ_REQUIRE_NONNULL(silent);
  CHECK(k.host.wait(stream.readAllBytes(), "the end of a silent connection").size() == 0);
  CHECK(k.workspace.shell("echo undisturbed") == "undisturbed");
}

// With a bothyd that gave the client its lane, and ends it when the client is gone; and with another, so that only the guest looks for the
// lane's end.
TEST_CASE(
    "P09 P41 what a killed client has begun ends soon, also after a restart of bothyd, and others "
    "notice nothing") {
  const bool isRestarted = GENERATE(false, true);
  INFO("bothyd is restarted: " << isRestarted);
  auto& k = theHost();
  TestTerminal terminal(k.workspace, {.argv = {"/bin/sh"_kj, "-c"_kj, "read x; echo heard $x"_kj}});
  auto socket = k.host.socket();
  {
    LocalTerminal client({"/proc/self/exe"_kj, CLIENT_OPTION, socket}, 80, 24);
    client.waitForText("begun");
    k.workspace.shell("pgrep -f 'sleep 100[3]'");
    if (isRestarted) {
      k.host.restart(SIGKILL);
      k.host.supervisor();
      k.workspace.shell("pgrep -f 'sleep 100[3]'");
    }
  }
  // Looks, and no seconds: those mean nothing here.
  k.workspace.shell(
      "for i in $(seq 100); do pgrep -f 'sleep 100[3]' || exit 0; sleep 0.1; done; exit 1");
  terminal.type("it\r");
  terminal.waitForText("heard it");
  terminal.waitForExit();
}

TEST_CASE("P41 a machine is adopted after kill -9 of bothyd, and its lanes and terminals go on") {
  auto& k = theHost();
  // Afresh: what is counted is the test's.
  k.workspace.reconnect();
  TestTerminal terminal(k.workspace,
                        {.argv = {"/bin/sh"_kj, "-c"_kj, "echo begun; read x; echo heard $x"_kj}});
  terminal.waitForText("begun");
  auto running = k.workspace.start({"/bin/sleep"_kj, "1004"_kj});
  const pid_t qemu = k.workspace.qemu();
  restartUnnoticed(k.workspace, SIGKILL, 2);
  CHECK(k.workspace.qemu() == qemu);
  k.workspace.shell("pkill -f 'sleep 100[4]'");
  CHECK(k.host.wait(kj::mv(running), "the call's end").status == "killed 15");
  terminal.type("it\r");
  terminal.waitForText("heard it");
  terminal.waitForExit();
  CHECK(terminal.record.gaps == 0);
}

TEST_CASE(
    "P09 the end of a lane that its agent has closed is told, and costs nothing that was not read, "
    "by the kernel's vsock") {
  auto& k = theHost();
  auto connected = k.workspace.connect([](auto wanted) { wanted.setCommands(); });
  REQUIRE(connected.getOutcome().isConnected());
  auto stream = k.host.wait(streamOf(connected.getLane(), k.host.io.unixEventPort), "the lane");
  auto ending = connected.getLane().whenEndedRequest().send();
  // No agent takes a message of this kind.
  capnp::MallocMessageBuilder message;
  message.initRoot<capnp::rpc::Message>().initJoin();
  k.host.wait(capnp::writeMessage(*stream, message), "the write");
  CHECK(k.host.wait(kj::mv(ending), "the lane's end").getReason() == rpc::LaneEnd::AGENT_GONE);
  // bothyd has shut its end down by then.
  k.host.timer.afterDelay(1 * kj::SECONDS).wait(k.host.scope);
  auto welcome = k.host.wait(readGreeting(*stream), "the Welcome");
  CHECK(welcome->getRoot<rpc::Welcome>().isGeneration());
  k.host.wait(stream->readAllBytes().ignoreResult(), "the lane's last byte");
  CHECK(k.workspace.shell("echo goes on") == "goes on");
}

TEST_CASE("S26 a lane ends with its lifetime without bothyd, by the kernel's vsock") {
  constexpr auto LIFETIME = 8 * kj::SECONDS;
  auto& k = theHost();
  const auto begin = k.host.now();
  auto lane = k.workspace.openLane([&](auto wanted) {
    wanted.setCommands();
    wanted.setLifetimeMillis(LIFETIME / kj::MILLISECONDS);
  });
  k.host.stop(SIGKILL);
  k.host.wait(lane->onDisconnect(), "the end of the lane's lifetime");
  CHECK(k.host.now() - begin >= LIFETIME);
  // One without a lifetime goes on.
  CHECK(k.workspace.shell("echo goes on") == "goes on");
  k.host.start();
  k.host.supervisor();
}

TEST_CASE(
    "S26 nothing flows on a lane whose lifetime is over though its guest reads nothing, by the "
    "kernel's vsock") {
  constexpr auto LIFETIME = 10 * kj::SECONDS;
  auto& k = theHost();
  {
    DeafMachine machine(k.host, BOTHY_DEAF_AGENT);
    DeafMachine::FullLane lane(machine, LIFETIME);
    CHECK(lane.awaitEnd() == rpc::LaneEnd::EXPIRED);
    CHECK_FALSE(lane.isUsable());
    // The guest finds its end when it reads again.
    machine.listen();
  }
  k.host.deleteWorkspace("deaf");
}

TEST_CASE(
    "P09 P28 a machine that finds the host's disk full stands still, and goes on without a loss") {
  auto& k = theHost();
  TestTerminal terminal(k.workspace, {.argv = {"/bin/sh"_kj, "-c"_kj, "read x; echo heard $x"_kj}});
  EventRecord events(k.host);
  auto held = k.workspace.connect([](auto wanted) { wanted.setCommands(); });
  auto ending = held.getLane().whenEndedRequest().send();
  k.disk.fill(0);
  k.workspace.shell(
      "cd ~ && rm -f done && setsid sh -c "
      "'head -c 16M /dev/urandom > much; sha256sum much > sum; sync; echo > done' "
      "> /dev/null 2>&1 < /dev/null &");
  events.waitFor(rpc::Cause::DISK_FULL);
  // Nothing breaks the kernel's vsock then: whoever waits for an answer would never know.
  CHECK(k.host.wait(kj::mv(ending), "the lane's end").getReason() == rpc::LaneEnd::STALLED);
  k.disk.drain();
  events.waitFor(rpc::Cause::DISK_FREED);
  k.workspace.reconnect();
  terminal.find();
  terminal.attach();
  terminal.type("it\r");
  terminal.waitForText("heard it");
  CHECK(
      k.workspace.shell("cd /home/user; until test -e done; do sleep 0.1; done; sync; "
                        "echo 3 > /proc/sys/vm/drop_caches; sha256sum --status -c sum && echo same",
                        "root") == "same");
}

// /dev/vhost-vsock is away, as on a host whose kernel lacks it.
class NoKernelVsock final {
public:
  NoKernelVsock() { KJ_SYSCALL(rename("/dev/vhost-vsock", "/dev/away")); }
  ~NoKernelVsock() { giveBack(); }
  KJ_DISALLOW_COPY_AND_MOVE(NoKernelVsock);
  void giveBack() { rename("/dev/away", "/dev/vhost-vsock"); }
};

TEST_CASE(
    "P41 where KVM is and the kernel's vsock is not, machines start, and each keeps the vsock it "
    "has") {
  auto& k = theHost();
  NoKernelVsock without;
  k.host.restart(SIGTERM);
  CHECK(k.host.stateOf("test") == rpc::WorkspaceState::RUNNING);
  CHECK(has(k.bothy.run({"version"_kj}).out, "vsock        vhost-user"));
  k.workspace.reconnect();
  CHECK(k.workspace.shell("echo by the kernel") == "by the kernel");
  TestWorkspace other(k.host, {.name = "other"});
  CHECK(other.vsockDevice() > 0);
  CHECK(other.shell("echo by the device") == "by the device");

  without.giveBack();
  k.host.restart(SIGKILL);
  other.reconnect();
  CHECK(other.shell("echo by the device") == "by the device");
  k.workspace.reconnect();
  CHECK(k.workspace.shell("echo by the kernel") == "by the kernel");
  k.host.deleteWorkspace("other");
}

TEST_CASE("P45 a machine stops in order, leaves nothing running, and starts with its files") {
  auto& k = theHost();
  k.workspace.shell("echo kept > ~/kept");
  const pid_t qemu = k.workspace.qemu();
  CHECK(k.host.stopWorkspace("test", 60000) == rpc::Supervisor::StopKind::ORDERLY);
  CHECK(kill(qemu, 0) < 0);
  k.workspace.startAgain();
  CHECK(k.workspace.shell("cat ~/kept") == "kept");
}

// Longer than the test waits for anything.
constexpr int LINGER_SECONDS = 1000;

// Has the socket's last close(2) last until the guest has taken what is sent and closed its end.
void linger(int socket) {
  const struct linger option = {1, LINGER_SECONDS};
  KJ_SYSCALL(setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, sizeof(option)));
  const char much[64 * 1024] = {};
  while (send(socket, much, sizeof(much), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  KJ_REQUIRE(errno == EAGAIN, "the socket does not fill", strerror(errno));
}

bool holdsSocket(pid_t process, ino_t inode) {
  const auto link = kj::str("socket:[", inode, "]");
  std::error_code gone;
  for (auto& entry :
       std::filesystem::directory_iterator(kj::str("/proc/", process, "/fd").cStr())) {
    if (std::filesystem::read_symlink(entry, gone) == link.cStr()) return true;
  }
  return false;
}

TEST_CASE(
    "S01 a lane whose socket lingers (SO_LINGER) while its guest stands still holds up nobody") {
  auto& k = theHost();
  const pid_t qemu = k.workspace.qemu();
  KJ_DEFER(kill(qemu, SIGCONT));
  struct stat socket = {};
  {
    auto lane = k.workspace.connect([](auto wanted) { wanted.setCommands(); });
    REQUIRE(lane.getOutcome().isConnected());
    auto fd = KJ_REQUIRE_NONNULL(k.host.wait(lane.getLane().getFd(), "the descriptor"));
    stopAndWait(qemu);
    linger(fd);
    KJ_SYSCALL(fstat(fd, &socket));
  }
  // The client has closed its own: bothyd's close is the last, and the number is free before that lasts.
  const auto deadline = k.host.now() + SupervisedHost::LIMIT;
  while (holdsSocket(k.host.pid(), socket.st_ino)) {
    REQUIRE(k.host.now() < deadline);
    k.host.timer.afterDelay(100 * kj::MILLISECONDS).wait(k.host.scope);
  }
  CHECK(k.host.stateOf("test") == rpc::WorkspaceState::RUNNING);
  auto other = k.host.connect();
  auto version = other->bootstrap().castAs<rpc::Supervisor>().versionRequest().send();
  k.host.wait(version.ignoreResult(), "an answer to another client");
  KJ_SYSCALL(kill(qemu, SIGCONT));
  k.workspace.reconnect();
  CHECK(k.workspace.shell("echo goes on") == "goes on");
}

}  // namespace
}  // namespace bothy

int main(int argc, char* argv[]) {
  if (argc == 3 && argv[1] == bothy::CLIENT_OPTION) return bothy::runClient(argv[2]);
  if (access("/dev/kvm", F_OK) < 0 || access("/dev/vhost-vsock", F_OK) < 0) {
    KJ_LOG(ERROR, "this host has no KVM or no vsock of the kernel's: see run-in-kvm-host");
    return 1;
  }
  int status = Catch::Session().run(argc, argv);
  if (status != 0) setenv("BOTHY_KEEP_LOGS", "1", 1);
  bothy::kvmHost = nullptr;
  return status;
}
