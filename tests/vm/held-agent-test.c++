// A user without root who has the kernel wait for a FUSE server of his, with a lock that the agent needs.  All scenarios share a machine.

#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "support/shared-workspace.h"

namespace bothy {
namespace {

// Mounts a FUSE in namespaces of its own, whose server answers everything but READ, and has a child that lets the kernel use a page of a
// file there: as what is written to standard output ("pipe", "terminal"), or as where the size of the terminal ("size") or the names in a
// directory ("list") go.  Ends by itself once the child hangs, but in these two.  "serve" mounts and has no child, and "served" is such a child
// in the namespaces of that.
constexpr kj::StringPtr HOLDER = R"(
import ctypes, os, struct, sys, tempfile, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
mode, uid, gid = sys.argv[1], os.getuid(), os.getgid()
place, held = '/tmp/holder', '/tmp/held'
def attributes(node):
    kind = 0o40755 if node == 1 else 0o100644
    return struct.pack('<QQQQQQIIIIIIIIII', node, 4096, 8, 0, 0, 0, 0, 0, 0, kind, 1, 0, 0, 0, 4096, 0)
def mount():
    if os.path.exists(held):
        os.unlink(held)
    os.makedirs(place, exist_ok=True)
    assert libc.unshare(0x10020000) == 0
    open('/proc/self/setgroups', 'w').write('deny')
    open('/proc/self/uid_map', 'w').write('0 %d 1' % uid)
    open('/proc/self/gid_map', 'w').write('0 %d 1' % gid)
    fuse = os.open('/dev/fuse', os.O_RDWR)
    options = b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fuse
    assert libc.mount(b'holder', place.encode(), b'fuse', 0, options) == 0
    return fuse
def serve(fuse):
    while True:
        length, opcode, unique, node = struct.unpack_from('<IIQQ', os.read(fuse, 1 << 20))
        def answer(data, error=0):
            os.write(fuse, struct.pack('<IiQ', 16 + len(data), error, unique) + data)
        if opcode == 26:
            answer(struct.pack('<IIIIHHI', 7, 31, 65536, 0, 16, 12, 65536) + struct.pack('<I', 1).ljust(40, b'\0'))
        elif opcode == 1:
            answer(struct.pack('<QQQQII', 2, 0, 100, 100, 0, 0) + attributes(2))
        elif opcode == 3:
            answer(struct.pack('<QII', 100, 0, 0) + attributes(node))
        elif opcode == 14:
            answer(struct.pack('<QII', 1, 0, 0))
        elif opcode == 15:
            open(held, 'w').write('x')
        elif opcode not in (2, 42):
            answer(b'', -38)
def hold():
    file = os.open(place + '/f', os.O_RDONLY)
    page = ctypes.c_void_p(libc.mmap(None, 4096, 3, 2, file, 0))
    if mode == 'size':
        libc.ioctl(1, 0x5413, page)
    elif mode == 'list':
        libc.syscall(217, os.open('/sys/fs/cgroup/commands', os.O_RDONLY), page, 4096)
    else:
        libc.write(1, page, 4096)
    os._exit(0)
if mode != 'served':
    fuse = mount()
    if os.fork() == 0:
        serve(fuse)
    os.close(fuse)
if mode == 'serve':
    print('pid %d;' % os.getpid(), flush=True)
    time.sleep(1000)
if os.fork() == 0:
    hold()
while not os.path.exists(held):
    time.sleep(0.01)
if mode in ('size', 'list'):
    print('held', flush=True)
    time.sleep(1000)
)"_kj;

constexpr kj::StringPtr INSTALL =
    "dmesg -C; rm -rf /tmp/held /tmp/holder; cat > /run/holder <<'END'"_kj;
constexpr kj::StringPtr COMMAND = "exec python3 /run/holder "_kj;

// The agent itself, and those who hold nothing up.
class Others final {
public:
  // Makes the user who does: one for each scenario, for who does so again soon loses more.
  Others(TestWorkspace& workspace, kj::StringPtr holder)
      : terminal(workspace, {.argv = ARGV, .user = "root"}) {
    workspace.shell(kj::str("useradd -m ", holder, "; ", INSTALL, HOLDER, "END\n"), "root");
  }
  ~Others() noexcept(false) {
    unwind.catchExceptionsIfUnwinding([this]() {
      auto& host = terminal.workspace.host;
      host.wait(terminal.client().closeRequest().send().ignoreResult(), "the end of a terminal");
    });
  }

  // After what was least harmful, whatever time a slow machine takes for it.
  void checkGoesOn() {
    auto word = kj::str("word-", ++words);
    terminal.type(kj::str(word, "\r"));
    terminal.waitForText(word);
    terminal.workspace.health();
  }
  // Since this was made.
  void checkSaid(kj::StringPtr what) {
    auto log =
        terminal.workspace.shell("dmesg | grep 'bothy: the agent is held up'; exit 0", "root");
    INFO(log.cStr());
    CHECK(strstr(log.cStr(), what.cStr()) != nullptr);
    CHECK(strstr(log.cStr(), "all programs") == nullptr);
  }
  void checkGone() {
    CHECK(terminal.workspace.shell(
              "for i in $(seq 100); do pgrep -f [/]run/holder > /dev/null || exit 0; "
              "sleep 0.1; done; pgrep -af [/]run/holder; exit 0",
              "root") == "");
  }
  // What it was is said, and nothing of it is left.
  void checkEnded() {
    checkGone();
    checkSaid("by user ");
  }

private:
  static constexpr kj::StringPtr ARGV[] = {"cat"_kj};
  TestTerminal terminal;
  uint words = 0;
  kj::UnwindDetector unwind;
};

TEST_CASE("R26 who looks after the agent sleeps while that touches no program") {
  auto& workspace = sharedWorkspace().workspace;
  // The command itself is one, until it is started.
  auto switches = workspace.shell(
      "status=$(dirname $(grep -lx bothy-watcher /proc/1/task/*/comm))/status && "
      "count() { grep -h '^voluntary_ctxt_switches' $status; } && "
      "sleep 3 && before=$(count) && sleep 4 && after=$(count) && "
      "test \"$before\" = \"$after\" && echo same \"$after\"",
      "root");
  CHECK(switches.startsWith("same voluntary_ctxt_switches:"));
}

TEST_CASE("S42 P45 a user's program that holds its pipe in the kernel does not hold up the agent") {
  auto& [host, workspace] = sharedWorkspace();
  constexpr kj::StringPtr USER = "pipe-holder"_kj;
  Others others(workspace, USER);
  auto command = kj::str(COMMAND, "pipe");
  auto run = workspace.start({"sh"_kj, "-c"_kj, command}, USER).eagerlyEvaluate(nullptr);
  // What held it may have been ended with it.
  host.wait(kj::mv(run), "the program");
  others.checkGoesOn();
  others.checkEnded();
}

TEST_CASE("S42 P45 nor does one whose FUSE server is another program") {
  auto& [host, workspace] = sharedWorkspace();
  constexpr kj::StringPtr USER = "server"_kj;
  Others others(workspace, USER);
  auto command = kj::str(COMMAND, "serve");
  const kj::StringPtr argv[] = {"sh"_kj, "-c"_kj, command};
  TestTerminal server(workspace, {.argv = argv, .user = USER});
  server.waitForText(";");
  auto use = kj::str(
      "exec nsenter --preserve-credentials -U -m -t $(pgrep -f -o '[/]run/holder serve') "
      "python3 /run/holder served");
  host.wait(workspace.start({"sh"_kj, "-c"_kj, use}, USER).ignoreResult(), "the program");
  others.checkGoesOn();
  others.checkSaid("1 FUSE");
  // Who has not held it up before loses what does so, and nothing else.
  workspace.shell("pgrep -f '[/]run/holder serve'", "root");
  host.wait(server.client().closeRequest().send().ignoreResult(), "the end of the server");
  others.checkEnded();
}

TEST_CASE("S42 P45 nor does one that holds its terminal") {
  auto& [host, workspace] = sharedWorkspace();
  constexpr kj::StringPtr USER = "size-holder"_kj;
  Others others(workspace, USER);
  auto command = kj::str(COMMAND, "size");
  const kj::StringPtr argv[] = {"sh"_kj, "-c"_kj, command};
  TestTerminal terminal(workspace, {.argv = argv, .user = USER});
  terminal.waitForText("held");
  terminal.resize(100, 30);
  others.checkGoesOn();
  terminal.waitForExit();
  others.checkEnded();
}

TEST_CASE("S42 P45 nor does one that lists control groups, in which the agent makes others") {
  auto& [host, workspace] = sharedWorkspace();
  constexpr kj::StringPtr USER = "list-holder"_kj;
  Others others(workspace, USER);
  // As root may have it.
  workspace.shell("chmod 755 /sys/fs/cgroup/commands", "root");
  auto command = kj::str(COMMAND, "list");
  const kj::StringPtr argv[] = {"sh"_kj, "-c"_kj, command};
  TestTerminal terminal(workspace, {.argv = argv, .user = USER});
  terminal.waitForText("held");
  workspace.shell("true; true");
  others.checkGoesOn();
  others.checkSaid("by somebody: what FUSE servers of users do not answer is aborted (1 FUSE");
  // It is no proof who did it.
  workspace.shell("pgrep -f '[/]run/holder list'", "root");
  host.wait(terminal.client().closeRequest().send().ignoreResult(), "the end of the terminal");
  others.checkGone();
  workspace.shell("chmod 711 /sys/fs/cgroup/commands", "root");
}

TEST_CASE("S42 P45 nor does one that holds the terminal of a program that has ended") {
  auto& [host, workspace] = sharedWorkspace();
  constexpr kj::StringPtr USER = "terminal-holder"_kj;
  Others others(workspace, USER);
  auto command = kj::str(COMMAND, "terminal");
  const kj::StringPtr argv[] = {"sh"_kj, "-c"_kj, command};
  TestTerminal terminal(workspace, {.argv = argv, .user = USER});
  host.wait(terminal.client().closeRequest().send().ignoreResult(), "the end of the terminal");
  others.checkGoesOn();
  others.checkGone();
}

TEST_CASE("S42 nobody but root may hold up the agent by listing what it makes directories in") {
  auto& workspace = sharedWorkspace().workspace;
  CHECK(workspace.shell("for d in /run/user /sys/fs/cgroup /sys/fs/cgroup/commands "
                        "/sys/fs/cgroup/terminals /sys/fs/cgroup/commands/program-0 "
                        "/sys/fs/fuse/connections; do ls $d > /dev/null 2>&1 && echo $d; done; "
                        "cat /sys/fs/cgroup/cgroup.controllers > /dev/null && "
                        "ls -d $XDG_RUNTIME_DIR | grep -c run/user") == "1");
  CHECK(workspace.shell("ls -d /sys/fs/cgroup/commands /run/user", "root") ==
        "/run/user\n/sys/fs/cgroup/commands");
}

}  // namespace
}  // namespace bothy
