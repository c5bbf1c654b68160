// Lanes by the kernel's vsock: who may dial, and how they end.  See kvm-host-test.c++.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>

#include "kvm/kvm-host.h"
#include "lane/lane-descriptor.h"
#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"
#include "support/deaf-machine.h"
#include "support/greeted-lane.h"
#include "support/host-program.h"
#include "support/local-terminal.h"

namespace bothy {
namespace {

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
