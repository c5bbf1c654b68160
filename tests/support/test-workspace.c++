#include "support/test-workspace.h"

#include <dirent.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <linux/vm_sockets.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <algorithm>
#include <sstream>

#include "lane/lane-descriptor.h"
#include "schema/files.capnp.h"
#include "schema/limits.capnp.h"
#include "support/host-program.h"

namespace bothy {

namespace {

// Collects what is written, up to a limit that no scenario needs.
class CollectingSink final: public rpc::ByteSink::Server {
public:
  explicit CollectingSink(kj::Vector<char>& bytes) : bytes(bytes) {}

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    KJ_REQUIRE(bytes.size() + data.size() <= MAX_COLLECTED_BYTES);
    bytes.addAll(data.asChars());
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override { return kj::READY_NOW; }

private:
  static constexpr size_t MAX_COLLECTED_BYTES = 64 * 1024 * 1024;
  kj::Vector<char>& bytes;
};

kj::String asString(const kj::Vector<char>& bytes) {
  return kj::heapString(bytes.begin(), bytes.size());
}

// The process whose command line has both texts.
pid_t findProcess(kj::StringPtr program, kj::StringPtr argument) {
  DIR* proc = opendir("/proc");
  KJ_REQUIRE(proc != nullptr);
  KJ_DEFER(closedir(proc));
  while (auto entry = readdir(proc)) {
    pid_t pid = atoi(entry->d_name);
    if (pid <= 0) continue;
    int fd = open(kj::str("/proc/", pid, "/cmdline").cStr(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    kj::AutoCloseFd owned(fd);
    auto bytes = kj::FdInputStream(fd).readAllBytes();
    for (auto& c : bytes) {
      if (c == 0) c = ' ';
    }
    auto line = kj::heapString(bytes.asChars());
    kj::StringPtr first = line;
    auto space = line.findFirst(' ').orDefault(line.size());
    auto command = kj::heapString(first.slice(0, space));
    if (command.endsWith(program) && strstr(line.cStr(), argument.cStr()) != nullptr) return pid;
  }
  KJ_FAIL_REQUIRE("no such process", program, argument);
}

// The device's Unix socket, as its command line has it.
kj::String dialSocketOf(pid_t device) {
  constexpr kj::StringPtr OPTION = "--uds-path="_kj;
  auto line = hostOutput({"/bin/cat"_kj, kj::str("/proc/", device, "/cmdline")});
  const char* at = std::search(line.begin(), line.end(), OPTION.begin(), OPTION.end());
  KJ_REQUIRE(at != line.end(), "the vsock device has no socket", line);
  return kj::str(at + OPTION.size());
}

// The guest's address where the kernel of the host has its vsock.
kj::Maybe<uint32_t> kernelVsockOf(pid_t qemu) {
  constexpr kj::StringPtr PROPERTY = "\"guest-cid\":"_kj;
  auto line = hostOutput({"/bin/cat"_kj, kj::str("/proc/", qemu, "/cmdline")});
  const char* at = std::search(line.begin(), line.end(), PROPERTY.begin(), PROPERTY.end());
  if (at == line.end()) return nullptr;
  return static_cast<uint32_t>(strtoul(at + PROPERTY.size(), nullptr, 10));
}

}  // namespace

TestWorkspace::TestWorkspace(SupervisedHost& host) : TestWorkspace(host, Options{}) {}

TestWorkspace::TestWorkspace(SupervisedHost& host, Options options)
    : host(host), name(kj::heapString(options.name)) {
  auto request = host.supervisor().createRequest();
  auto spec = request.initSpec();
  spec.setName(options.name);
  spec.setImage(options.image);
  spec.setCpus(options.cpus);
  spec.setMemoryMib(options.memoryMib);
  if (options.tier.size() == 0) spec.setDiskMib(options.diskMib);
  spec.setTier(options.tier);
  auto response = host.wait(request.send().dropPipeline(), "the workspace to be created",
                            SupervisedHost::BOOT_LIMIT);
  auto outcome = response.getOutcome();
  KJ_REQUIRE(outcome.isCreated(), outcome);
  id = kj::heapString(outcome.getCreated().getId());
  reconnect();
}

void TestWorkspace::startAgain() {
  host.startWorkspace(name);
  reconnect();
}

void TestWorkspace::reconnect() {
  interactive = nullptr;
  commands = nullptr;
  fileLanes.clear();
  // Told at once where it cannot be had.
  processes();
}

TestWorkspace::Connected TestWorkspace::connect(
    kj::Function<void(rpc::LaneRequest::Builder)> want) {
  auto request = host.supervisor().connectRequest();
  request.setName(name);
  want(request.initWanted());
  return host.wait(request.send().dropPipeline(), "a lane");
}

kj::Own<Lane> TestWorkspace::openLane(kj::Function<void(rpc::LaneRequest::Builder)> want) {
  auto response = connect(kj::mv(want));
  KJ_REQUIRE(response.getOutcome().isConnected(), response.getOutcome());
  auto stream = host.wait(streamOf(response.getLane(), host.io.unixEventPort), "its stream");
  auto lane = kj::heap<Lane>(kj::mv(stream), host.timer);
  auto answer = host.wait(lane->answer(), "the welcome");
  KJ_REQUIRE(answer.is<uint16_t>(), "a lane was refused",
             static_cast<int>(answer.get<LaneRefused>().why));
  return lane;
}

rpc::Files::Client TestWorkspace::files(kj::StringPtr user) {
  auto& lane = fileLanes.findOrCreate(user, [&]() -> decltype(fileLanes)::Entry {
    return {kj::str(user), openLane([&](rpc::LaneRequest::Builder wanted) {
              wanted.initFiles().setUser(user);
              wanted.getFiles().setAccess(rpc::FileAccess::WRITE);
            })};
  });
  return lane->bootstrap().castAs<rpc::Files>();
}

kj::Promise<Finished> TestWorkspace::start(kj::ArrayPtr<const kj::StringPtr> argv,
                                           kj::StringPtr user) {
  kj::Vector<char> out;
  kj::Vector<char> err;
  auto request = processes().execRequest();
  auto command = request.initCommand();
  auto list = command.initArgv(argv.size());
  for (auto i : kj::indices(argv)) list.set(i, argv[i]);
  command.setUser(user);
  request.setStdout(kj::heap<CollectingSink>(out));
  request.setStderr(kj::heap<CollectingSink>(err));
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  KJ_REQUIRE(outcome.isStarted(), outcome);
  response.getStdin().endRequest().send().detach([](kj::Exception&&) {});
  auto ended = co_await response.getProcess().waitRequest().send();
  co_return Finished{describe(ended.getStatus()), asString(out), asString(err),
                     ended.getDetached()};
}

Finished TestWorkspace::run(kj::ArrayPtr<const kj::StringPtr> argv, kj::StringPtr user) {
  return host.wait(start(argv, user), argv[0], SupervisedHost::BOOT_LIMIT);
}

kj::String TestWorkspace::shell(kj::StringPtr script, kj::StringPtr user) {
  auto finished = run({"/bin/sh"_kj, "-c"_kj, script}, user);
  KJ_REQUIRE(finished.status == "exited 0", script, finished.status, finished.out, finished.err);
  size_t length = finished.out.size();
  if (length > 0 && finished.out[length - 1] == '\n') --length;
  return kj::heapString(finished.out.slice(0, length));
}

rpc::WorkspaceInfo::Reader TestWorkspace::info() {
  auto request = host.supervisor().getRequest();
  request.setName(name);
  auto& response =
      lastInfo.emplace(host.wait(request.send().dropPipeline(), "the workspace's description"));
  return response.getOutcome().getFound();
}

rpc::Health::Reader TestWorkspace::health() {
  auto& response = lastHealth.emplace(
      host.wait(system().healthRequest().send().dropPipeline(), "the machine's health"));
  return response.getHealth();
}

std::set<std::string> TestWorkspace::connections() {
  auto text = shell("ss -H --vsock state established | awk '{print $NF}'");
  std::set<std::string> ports;
  std::istringstream lines(text.cStr());
  for (std::string line; std::getline(lines, line);) ports.insert(line);
  return ports;
}

pid_t TestWorkspace::qemu() {
  return findProcess("qemu-system-x86_64", id);
}

pid_t TestWorkspace::vsockDevice() {
  return findProcess("vhost-device-vsock", id);
}

kj::Maybe<pid_t> TestWorkspace::findVsockDevice() {
  if (kernelVsockOf(qemu()) != nullptr) return nullptr;
  return vsockDevice();
}

kj::Maybe<kj::Own<kj::AsyncIoStream>> TestWorkspace::dial(uint32_t port) {
  KJ_IF_MAYBE (cid, kernelVsockOf(qemu())) {
    return dialKernel(*cid, port);
  }
  auto stream = beginDial(port);
  // "OK <port>\n"; the end where nobody listens.
  for (char byte = 0; byte != '\n';) {
    if (host.wait(stream->tryRead(&byte, 1, 1), "the vsock device's answer") == 0) return nullptr;
  }
  return kj::mv(stream);
}

kj::Own<kj::AsyncIoStream> TestWorkspace::beginDial(uint32_t port) {
  auto& network = host.io.provider->getNetwork();
  auto address =
      network.parseAddress(kj::str("unix:", dialSocketOf(vsockDevice()))).wait(host.scope);
  auto stream = host.wait(address->connect(), "the vsock device");
  auto request = kj::str("connect ", port, "\n");
  stream->write(request.begin(), request.size()).wait(host.scope);
  return stream;
}

void TestWorkspace::breakOffDial() {
  auto stream = beginDial(rpc::AGENT_PORT);
  // Until the device has read it.
  host.timer.afterDelay(100 * kj::MILLISECONDS).wait(host.scope);
}

kj::Maybe<kj::Own<kj::AsyncIoStream>> TestWorkspace::dialKernel(uint32_t cid, uint32_t port) {
  int fd;
  KJ_SYSCALL(fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd socket(fd);
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = port;
  auto connecting = kj::evalNow([&]() {
    return host.io.lowLevelProvider->wrapConnectingSocketFd(
        kj::mv(socket), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  });
  auto connected =
      connecting.then([](auto stream) { return kj::Maybe(kj::mv(stream)); })
          .catch_([](kj::Exception&&) { return kj::Maybe<kj::Own<kj::AsyncIoStream>>(); });
  return host.wait(kj::mv(connected), "the guest's vsock");
}

TestTerminal::TestTerminal(TestWorkspace& workspace, Options options)
    : workspace(workspace), record(options.columns, options.rows), view(viewer) {
  listen();
  auto opening = view.open(workspace.terminals(), [&](rpc::Terminals::OpenParams::Builder params) {
    auto command = params.initCommand();
    command.setUser(options.user);
    auto argv = command.initArgv(options.argv.size());
    for (auto i : kj::indices(options.argv)) argv.set(i, options.argv[i]);
    auto size = params.initSize();
    size.setColumns(options.columns);
    size.setRows(options.rows);
    params.setTerm(options.term);
  });
  KJ_IF_MAYBE (failed, workspace.host.wait(kj::mv(opening), "a terminal")) {
    KJ_FAIL_REQUIRE("no terminal", failed->getOutcome());
  }
  id = view.id();
}

TestTerminal::TestTerminal(Past past, TestTerminal& other)
    : workspace(other.workspace),
      record(other.record.screen.size().columns, other.record.screen.size().rows),
      view(viewer, past) {
  listen();
  auto finding = view.find(workspace.terminals(), other.id);
  KJ_REQUIRE(workspace.host.wait(kj::mv(finding), "the terminal by its id"), "it is absent");
  id = other.id;
  attach();
  if (past == Past::SCREEN) {
    waitUntil([this]() { return record.redraws > 0; }, "the screen");
  }
}

void TestTerminal::listen() {
  record.changed = [this]() {
    KJ_IF_MAYBE (fulfiller, changed) {
      (*fulfiller)->fulfill();
    }
  };
}

kj::String TestTerminal::settled() {
  constexpr auto QUIET = 500 * kj::MILLISECONDS;
  for (uint64_t seen = UINT64_MAX; record.received != seen;) {
    seen = record.received;
    workspace.host.timer.afterDelay(QUIET).wait(workspace.host.scope);
  }
  return record.screen.describe();
}

void TestTerminal::attach() {
  workspace.host.wait(view.attach([](auto size) { size.setUnchanged(); }), "the terminal's output");
}

void TestTerminal::detach() {
  view.detach();
}

void TestTerminal::find() {
  auto found = workspace.host.wait(view.find(workspace.terminals(), id), "the terminal by its id");
  KJ_REQUIRE(found, "it is absent");
}

void TestTerminal::type(kj::StringPtr text) {
  auto request = attachment().writeRequest();
  request.setData(text.asBytes());
  workspace.host.wait(request.send(), "typing");
}

void TestTerminal::resize(uint16_t columns, uint16_t rows) {
  record.screen.resize(columns, rows);
  auto request = attachment().resizeRequest();
  auto size = request.initSize();
  size.setColumns(columns);
  size.setRows(rows);
  workspace.host.wait(request.send().dropPipeline(), "resizing");
}

kj::Promise<void> TestTerminal::nextChange() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  changed = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

void TestTerminal::waitUntil(kj::Function<bool()> condition, kj::StringPtr what) {
  auto deadline = workspace.host.now() + SupervisedHost::LIMIT;
  while (!condition()) {
    auto next = nextChange();
    if (condition()) break;
    auto answered =
        next.then([]() { return true; })
            .exclusiveJoin(workspace.host.timer.atTime(deadline).then([]() { return false; }))
            .wait(workspace.host.scope);
    KJ_REQUIRE(answered, "waited in vain", what, record.screen.text(), record.exit != nullptr);
  }
}

void TestTerminal::waitForText(kj::StringPtr text) {
  waitUntil([&]() { return strstr(record.screen.text().cStr(), text.cStr()) != nullptr; }, text);
}

void TestTerminal::waitForExit() {
  waitUntil([&]() { return record.exit != nullptr; }, "the exit");
}

}  // namespace bothy
