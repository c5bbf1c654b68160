#include "process/test-world.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/text-file.h"

namespace bothy {

namespace {

constexpr uid_t TEST_UID = 61234;

kj::Maybe<kj::String> makeCgroupRoot() {
  for (kj::StringPtr mount : {"/sys/fs/cgroup"_kj, "/sys/fs/cgroup/unified"_kj}) {
    if (access(kj::str(mount, "/cgroup.procs").cStr(), W_OK) != 0) continue;
    auto path = kj::str(mount, "/bothy-test-", getpid());
    if (mkdir(path.cStr(), 0755) == 0) return kj::mv(path);
  }
  return nullptr;
}

kj::String makeDirectory() {
  char name[] = "/tmp/bothy-test-XXXXXX";
  KJ_REQUIRE(mkdtemp(name) != nullptr);
  KJ_SYSCALL(chmod(name, 0755));
  return kj::str(name);
}

void killChildren() {
  auto path = kj::str("/proc/self/task/", getpid(), "/children");
  auto text = readTextFile(path);
  for (auto rest = text.asPtr();;) {
    KJ_IF_MAYBE (space, rest.findFirst(' ')) {
      kill(kj::str(rest.slice(0, *space)).parseAs<pid_t>(), SIGKILL);
      rest = rest.slice(*space + 1);
    } else {
      break;
    }
  }
}

class CollectingSink final: public rpc::ByteSink::Server {
public:
  explicit CollectingSink(Collected& collected) : collected(collected) {}

  kj::Promise<void> write(WriteContext context) override {
    KJ_REQUIRE(collected.ends == 0, "a write after the end");
    auto data = context.getParams().getData();
    collected.writes++;
    collected.bytes.addAll(data);
    KJ_IF_MAYBE (gate, collected.gate) {
      return gate->addBranch();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> gap(GapContext context) override {
    collected.lost += context.getParams().getLost();
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override {
    collected.ends++;
    KJ_IF_MAYBE (gate, collected.endGate) {
      return gate->addBranch();
    }
    return kj::READY_NOW;
  }

private:
  Collected& collected;
};

}  // namespace

kj::AsyncIoContext setupTestIo() {
  Reaper::captureChildExit();
  KJ_SYSCALL(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  return kj::setupAsyncIo();
}

TestWorld::TestWorld(Trees trees, kj::Maybe<kj::Timer&> timer)
    : io(setupTestIo()), scope(io.waitScope), directory(makeDirectory()) {
  if (trees == Trees::CGROUPS_IF_POSSIBLE) cgroupRoot = makeCgroupRoot();
  uid = geteuid() == 0 ? TEST_UID : geteuid();
  gid_t gid = geteuid() == 0 ? TEST_UID : getegid();
  auto home = kj::str(directory, "/home");
  KJ_SYSCALL(mkdir(home.cStr(), 0755));
  if (geteuid() == 0) {
    KJ_SYSCALL(chown(home.cStr(), uid, gid));
  }
  KJ_SYSCALL(mkdir(kj::str(directory, "/etc").cStr(), 0755));
  KJ_SYSCALL(mkdir(kj::str(directory, "/etc/default").cStr(), 0755));
  writeEtc("passwd", kj::str("root:x:0:0::/root:/bin/sh\n# no user\nuser:x:", uid, ":", gid,
                             ":A User,,,:", home, ":/bin/bash\n"));
  writeEtc("group", kj::str("root:x:0:\nuser:x:", gid, ":\nextra:x:61300:other,user\n"));
  Programs::Options options;
  options.etcDirectory = kj::str(directory, "/etc");
  options.runDirectory = kj::str(directory, "/run");
  options.outputBytes = LEAST_OUTPUT_BYTES;
  KJ_SYSCALL(mkdir(options.runDirectory.cStr(), 0755));
  KJ_IF_MAYBE (root, cgroupRoot) {
    int fd;
    KJ_SYSCALL(fd = open(root->cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    kj::AutoCloseFd owned(fd);
    makeProgramGroups(fd);
    options.cgroupRoot = kj::str(*root);
  }
  programs = kj::heap<Programs>(io.unixEventPort, timer.orDefault(io.provider->getTimer()),
                                kj::mv(options));
}

TestWorld::~TestWorld() noexcept(false) {
  connections.clear();
  // Orphans come to us: once we have no child, nothing is left.
  auto childless = onChildless();
  while (!childless.poll(scope)) killChildren();
  childless.wait(scope);
  programs->onBackgroundIdle().wait(scope);
  programs = nullptr;
  // Sinks are dropped a turn later, and not after the loop.
  scope.poll();
  KJ_IF_MAYBE (root, cgroupRoot) {
    for (auto name : {TERMINAL_GROUPS, COMMAND_GROUPS, PROGRAM_GROUPS, RESERVE_GROUPS}) {
      rmdir(kj::str(*root, '/', name).cStr());
    }
    rmdir(root->cStr());
  }
  auto filesystem = kj::newDiskFilesystem();
  filesystem->getRoot().remove(kj::Path::parse(directory.slice(1)));
}

void TestWorld::writeEtc(kj::StringPtr name, kj::StringPtr text) {
  auto filesystem = kj::newDiskFilesystem();
  filesystem->getRoot()
      .openFile(kj::Path::parse(kj::str(directory.slice(1), "/etc/", name)),
                kj::WriteMode::CREATE | kj::WriteMode::MODIFY)
      ->writeAll(text);
}

kj::String TestWorld::readHome(kj::StringPtr name) {
  auto filesystem = kj::newDiskFilesystem();
  return filesystem->getRoot().openFile(kj::Path::parse(path(name).slice(1)))->readAllText();
}

capnp::Capability::Client TestWorld::connectUntyped(capnp::Capability::Client bootstrap) {
  auto pipe = io.provider->newTwoWayPipe();
  connections.add(kj::heap<Connection>(kj::mv(pipe), kj::mv(bootstrap)));
  return connections.back()->client->bootstrap();
}

void TestWorld::disconnect() {
  // As it is over a network: the client is gone, and its end of the stream tells.
  for (auto& connection : connections) connection->client = nullptr;
  scope.poll();
  connections.clear();
}

kj::Promise<void> TestWorld::onChildless() {
  programs->trees.endPrepared();
  return programs->reaper.onChildless();
}

void TestWorld::await(kj::FunctionParam<bool()> isSo) {
  constexpr auto LIMIT = 60 * kj::SECONDS;
  auto& timer = io.provider->getTimer();
  const auto deadline = timer.now() + LIMIT;
  while (!isSo()) {
    KJ_REQUIRE(timer.now() < deadline, "it waits for ever");
    timer.afterDelay(1 * kj::MILLISECONDS).wait(scope);
  }
}

void TestWorld::await(const Collected& out, size_t bytes) {
  await([&]() { return out.bytes.size() >= bytes; });
}

rpc::ByteSink::Client collectInto(Collected& collected) {
  return kj::heap<CollectingSink>(collected);
}

void setArguments(rpc::Command::Builder command, kj::ArrayPtr<const kj::StringPtr> arguments) {
  auto argv = command.initArgv(arguments.size());
  for (uint i = 0; i < arguments.size(); i++) argv.set(i, arguments[i]);
}

void setShell(rpc::Command::Builder command, kj::StringPtr script) {
  setArguments(command, {"sh"_kj, "-c"_kj, script});
}

}  // namespace bothy
