#include "support/fake-supervisor.h"

#include <stdlib.h>

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr uint64_t TERMINAL_ID = 7;

kj::String pathOf(capnp::Data::Reader path) {
  auto text = kj::heapString(path.asChars());
  return text.startsWith("/") ? kj::mv(text) : kj::str("/", text);
}

}  // namespace

class FakeSupervisor::AttachmentServer final: public rpc::Attachment::Server {
public:
  AttachmentServer(FakeSupervisor& fake, uint64_t number) : fake(fake), number(number) {}
  ~AttachmentServer() noexcept(false) {
    kj::Vector<kj::Own<Viewer>> others;
    for (auto& viewer : fake.viewers) {
      if (viewer->number != number) others.add(kj::mv(viewer));
    }
    fake.viewers = kj::mv(others);
  }

private:
  FakeSupervisor& fake;
  uint64_t number;
};

class FakeSupervisor::TerminalServer final: public rpc::Terminal::Server {
public:
  explicit TerminalServer(FakeSupervisor& fake) : fake(fake) {}

  kj::Promise<void> attach(AttachContext context) override {
    auto params = context.getParams();
    auto& terminal = fake.terminal;
    if (params.getSize().isSize()) setSize(params.getSize().getSize());
    auto from = params.getFrom();
    uint64_t next = from.isSequence() ? from.getSequence()
                    : from.isNow()    ? terminal.output.size()
                                      : terminal.oldest;
    auto viewer = kj::heap<Viewer>(Viewer{params.getOutput(), next, nullptr, ++fake.viewerNumber});
    ++terminal.attachments;
    auto results = context.getResults();
    results.setNext(next);
    results.setAttachment(kj::heap<AttachmentServer>(fake, viewer->number));
    viewer->showing = fake.show(*viewer).eagerlyEvaluate(nullptr);
    fake.viewers.add(kj::mv(viewer));
    return kj::READY_NOW;
  }
  kj::Promise<void> write(WriteContext context) override {
    fake.terminal.input.addAll(context.getParams().getData());
    return kj::READY_NOW;
  }
  kj::Promise<void> resize(ResizeContext context) override {
    setSize(context.getParams().getSize());
    return kj::READY_NOW;
  }

  kj::Promise<void> info(InfoContext context) override {
    context.getResults().initInfo().setProduced(fake.terminal.output.size());
    return kj::READY_NOW;
  }

private:
  void setSize(rpc::WindowSize::Reader size) {
    fake.terminal.size = kj::str(size.getColumns(), "x", size.getRows());
  }

  FakeSupervisor& fake;
};

class FakeSupervisor::TerminalsServer final: public rpc::Terminals::Server {
public:
  explicit TerminalsServer(FakeSupervisor& fake) : fake(fake) {}

  kj::Promise<void> open(OpenContext context) override {
    auto params = context.getParams();
    auto size = params.getSize();
    fake.terminal.command = kj::strArray(params.getCommand().getArgv(), " ");
    fake.terminal.size = kj::str(size.getColumns(), "x", size.getRows());
    fake.terminal.term = kj::str(params.getTerm());
    auto results = context.getResults();
    results.setTerminal(kj::heap<TerminalServer>(fake));
    results.setId(TERMINAL_ID);
    results.initOutcome().setOpened();
    return kj::READY_NOW;
  }
  kj::Promise<void> list(ListContext context) override {
    auto info = context.getResults().initTerminals(1)[0];
    info.setId(TERMINAL_ID);
    info.setTitle("evil\x1b[2Jtitle");
    info.setRunning(fake.terminal.exitCode == nullptr);
    return kj::READY_NOW;
  }
  kj::Promise<void> get(GetContext context) override {
    auto results = context.getResults();
    if (context.getParams().getId() == TERMINAL_ID) {
      results.setTerminal(kj::heap<TerminalServer>(fake));
      results.initOutcome().setFound();
    } else {
      results.initOutcome().setAbsent();
    }
    return kj::READY_NOW;
  }

private:
  FakeSupervisor& fake;
};

class FakeSupervisor::CatInput final: public rpc::ByteSink::Server {
public:
  CatInput(FakeSupervisor& fake, rpc::ByteSink::Client output,
           kj::Own<kj::PromiseFulfiller<void>> ended)
      : fake(fake), output(kj::mv(output)), ended(kj::mv(ended)) {}

  kj::Promise<void> write(WriteContext context) override {
    auto request = output.writeRequest();
    request.setData(context.getParams().getData());
    return request.send();
  }
  kj::Promise<void> end(EndContext context) override {
    fake.program.inputEnded = true;
    ended->fulfill();
    return kj::READY_NOW;
  }

private:
  FakeSupervisor& fake;
  rpc::ByteSink::Client output;
  kj::Own<kj::PromiseFulfiller<void>> ended;
};

class FakeSupervisor::ProcessServer final: public rpc::Process::Server {
public:
  ProcessServer(FakeSupervisor& fake, kj::Promise<void> ending, int code)
      : fake(fake), code(code), ending(ending.fork()) {}
  ProcessServer(FakeSupervisor& fake, int code) : ProcessServer(fake, kj::READY_NOW, code) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    killed = kj::mv(paf.fulfiller);
    ending = paf.promise.fork();
  }
  ~ProcessServer() noexcept(false) { fake.program.dropped = true; }

  kj::Promise<void> wait(WaitContext context) override {
    co_await ending.addBranch();
    auto status = context.getResults().initStatus();
    if (code >= 128) {
      status.setKilled(static_cast<uint8_t>(code - 128));
    } else {
      status.setExited(static_cast<uint8_t>(code));
    }
  }
  kj::Promise<void> signal(SignalContext context) override {
    auto number = context.getParams().getNumber();
    fake.program.signals.add(number);
    context.getResults().setDelivered(true);
    // SIGINT is one that the program has a handler for.
    KJ_IF_MAYBE (k, killed) {
      if (number != 2) {
        code = 128 + number;
        (*k)->fulfill();
      }
    }
    return kj::READY_NOW;
  }

private:
  FakeSupervisor& fake;
  int code;
  kj::ForkedPromise<void> ending;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> killed;
};

class FakeSupervisor::ProcessesServer final: public rpc::Processes::Server {
public:
  explicit ProcessesServer(FakeSupervisor& fake) : fake(fake) {}

  kj::Promise<void> exec(ExecContext context) override {
    auto params = context.getParams();
    auto command = params.getCommand();
    auto argv = command.getArgv();
    fake.program.command = kj::strArray(argv, " ");
    fake.program.user = kj::str(command.getUser());
    fake.program.environment = kj::strArray(
        KJ_MAP(e, command.getEnvironment()) { return kj::str(e.getName(), "=", e.getValue()); },
        " ");
    auto results = context.getResults();
    results.initOutcome().setStarted();
    kj::StringPtr name = argv[0];
    auto ended = kj::newPromiseAndFulfiller<void>();
    results.setStdin(kj::heap<CatInput>(fake, params.getStdout(), kj::mv(ended.fulfiller)));
    if (name == "cat") {
      results.setProcess(kj::heap<ProcessServer>(fake, kj::mv(ended.promise), 0));
    } else if (name == "exit" || name == "kill") {
      int code = atoi(argv[1].cStr()) + (name == "kill" ? 128 : 0);
      results.setProcess(kj::heap<ProcessServer>(fake, kj::READY_NOW, code));
    } else if (name == "talk") {
      auto talking = say(params.getStdout(), "to output\n")
                         .then([this, errors = params.getStderr()]() mutable {
                           return say(errors, "to errors \xff\n");
                         });
      results.setProcess(kj::heap<ProcessServer>(fake, kj::mv(talking), 0));
    } else if (name == "sleep") {
      results.setProcess(kj::heap<ProcessServer>(fake, 0));
    } else {
      auto failed = results.initOutcome().initFailed();
      failed.setReason(name == "locked" ? rpc::StartFailure::Reason::PROGRAM_NOT_EXECUTABLE
                                        : rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
      failed.setSubject(name);
      results.disownStdin();
    }
    return kj::READY_NOW;
  }

private:
  kj::Promise<void> say(rpc::ByteSink::Client sink, kj::StringPtr text) {
    auto request = sink.writeRequest();
    request.setData(text.asBytes());
    return request.send();
  }

  FakeSupervisor& fake;
};

class FakeSupervisor::FileWriter final: public rpc::ByteSink::Server {
public:
  FileWriter(FakeSupervisor& fake, kj::String path, uint16_t mode)
      : fake(fake), path(kj::mv(path)), mode(mode) {}

  kj::Promise<void> write(WriteContext context) override {
    KJ_REQUIRE(!path.startsWith("/full"), "the file was not written");
    bytes.addAll(context.getParams().getData());
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override {
    fake.files.upsert(kj::str(path), File{.bytes = bytes.releaseAsArray(), .mode = mode},
                      [](File& old, File&& made) { old = kj::mv(made); });
    return kj::READY_NOW;
  }

private:
  FakeSupervisor& fake;
  kj::String path;
  uint16_t mode;
  kj::Vector<kj::byte> bytes;
};

class FakeSupervisor::FullDisk final: public rpc::FileWriting::Server {
public:
  kj::Promise<void> result(ResultContext context) override {
    auto failed = context.getResults().initOutcome().initFailed();
    failed.setReason(rpc::FileFailure::Reason::NO_SPACE);
    return kj::READY_NOW;
  }
};

class FakeSupervisor::FilesServer final: public rpc::Files::Server {
public:
  explicit FilesServer(FakeSupervisor& fake) : fake(fake) {}

  kj::Promise<void> stat(StatContext context) override {
    auto outcome = context.getResults().initOutcome();
    KJ_IF_MAYBE (file, fake.files.find(pathOf(context.getParams().getPath()))) {
      auto entry = outcome.initEntry();
      entry.setKind(file->directory ? rpc::FileKind::DIRECTORY : rpc::FileKind::FILE);
      entry.setMode(file->mode);
      entry.setSize(file->bytes.size());
    } else {
      outcome.initFailed().setReason(rpc::FileFailure::Reason::NOT_FOUND);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> read(ReadContext context) override {
    auto params = context.getParams();
    auto sink = params.getSink();
    auto& file = KJ_REQUIRE_NONNULL(fake.files.find(pathOf(params.getPath())));
    constexpr size_t CHUNK_BYTES = 1000;
    for (size_t at = 0; at < file.bytes.size(); at += CHUNK_BYTES) {
      auto request = sink.writeRequest();
      request.setData(file.bytes.slice(at, kj::min(at + CHUNK_BYTES, file.bytes.size())));
      co_await request.send();
      if (file.stopsInTheMiddle) co_await kj::Promise<void>(kj::NEVER_DONE);
    }
    co_await sink.endRequest().send();
    context.getResults().initOutcome().setDone(file.bytes.size());
  }
  kj::Promise<void> write(WriteContext context) override {
    auto params = context.getParams();
    auto path = pathOf(params.getPath());
    auto results = context.getResults();
    auto outcome = results.initOutcome();
    if (path.startsWith("/locked")) {
      outcome.initFailed().setReason(rpc::FileFailure::Reason::PERMISSION_DENIED);
    } else {
      if (path.startsWith("/full")) results.setWriting(kj::heap<FullDisk>());
      results.setSink(kj::heap<FileWriter>(fake, kj::mv(path), params.getOptions().getMode()));
      outcome.setDone();
    }
    return kj::READY_NOW;
  }

private:
  FakeSupervisor& fake;
};

class FakeSupervisor::SystemServer final: public rpc::System::Server {
public:
  kj::Promise<void> report(ReportContext context) override {
    context.getResults().initReport().setBootId("the only boot");
    return kj::READY_NOW;
  }
};

class FakeSupervisor::WorkspaceServer final: public rpc::Workspace::Server {
public:
  explicit WorkspaceServer(FakeSupervisor& fake) : fake(fake) {}

  kj::Promise<void> terminals(TerminalsContext context) override {
    context.getResults().setTerminals(kj::heap<TerminalsServer>(fake));
    return kj::READY_NOW;
  }
  kj::Promise<void> processes(ProcessesContext context) override {
    context.getResults().setProcesses(kj::heap<ProcessesServer>(fake));
    return kj::READY_NOW;
  }
  kj::Promise<void> files(FilesContext context) override {
    KJ_REQUIRE(context.getParams().getUser() != "nobody", "no such user");
    context.getResults().setFiles(kj::heap<FilesServer>(fake));
    return kj::READY_NOW;
  }
  kj::Promise<void> system(SystemContext context) override {
    context.getResults().setSystem(kj::heap<SystemServer>());
    return kj::READY_NOW;
  }

private:
  FakeSupervisor& fake;
};

class FakeSupervisor::Server final: public rpc::Supervisor::Server {
public:
  explicit Server(FakeSupervisor& fake) : fake(fake) {}

  kj::Promise<void> version(VersionContext context) override {
    auto results = context.getResults();
    results.setGeneration(1);
    results.setVersion("1.2.3");
    results.setAccelerator("tcg");
    results.setVsock("vhost-user");
    return kj::READY_NOW;
  }
  kj::Promise<void> create(CreateContext context) override {
    auto params = context.getParams();
    auto name = params.getSpec().getName();
    auto progress = params.getProgress();
    auto outcome = context.getResults().initOutcome();
    if (name == "demo") {
      describe(outcome.initExists(), "demo", rpc::WorkspaceState::RUNNING);
      co_return;
    }
    co_await tell(progress, rpc::Stage::CREATING_DISK);
    co_await tell(progress, rpc::Stage::BOOTING);
    KJ_IF_MAYBE (message, fake.startFailure) {
      auto failed = outcome.initFailed();
      failed.setStage(rpc::Stage::BOOTING);
      failed.setMessage(*message);
      failed.setConsole("line one\n\x1b[31mline two\n");
      co_return;
    }
    auto info = outcome.initCreated();
    info.setSpec(params.getSpec());
    info.setState(rpc::WorkspaceState::RUNNING);
  }
  kj::Promise<void> list(ListContext context) override {
    auto list = context.getResults().initWorkspaces(2);
    describe(list[0], "demo", rpc::WorkspaceState::RUNNING);
    describe(list[1], "idle", rpc::WorkspaceState::FAILED);
    list[1].setFailure("it said \x1b]0;x\x07");
    return kj::READY_NOW;
  }
  kj::Promise<void> get(GetContext context) override {
    auto outcome = context.getResults().initOutcome();
    auto name = context.getParams().getName();
    if (name == "demo") {
      describe(outcome.initFound(), "demo", rpc::WorkspaceState::RUNNING);
    } else if (name == "idle") {
      describe(outcome.initFound(), "idle", rpc::WorkspaceState::STOPPED);
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> connect(ConnectContext context) override {
    auto name = context.getParams().getName();
    auto results = context.getResults();
    auto outcome = results.initOutcome();
    if (name == "demo") {
      results.setWorkspace(kj::heap<WorkspaceServer>(fake));
      outcome.setConnected();
    } else if (name == "idle") {
      outcome.setNotRunning(rpc::WorkspaceState::STOPPED);
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> stop(StopContext context) override {
    auto outcome = context.getResults().initOutcome();
    if (context.getParams().getName() == "demo") {
      outcome.setStopped(context.getParams().getGraceMillis() == 0
                             ? rpc::Supervisor::StopKind::FORCED
                             : rpc::Supervisor::StopKind::ORDERLY);
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> delete_(DeleteContext context) override {
    context.getResults().initOutcome().setDeleted();
    return kj::READY_NOW;
  }
  // There are `demo`, of 4 GiB, on a host that holds disks up to 1 TiB, and `busy`.
  kj::Promise<void> resize(ResizeContext context) override {
    constexpr uint32_t PRESENT_MIB = 4096, MOST_MIB = 1 << 20;
    auto wanted = context.getParams().getDiskMib();
    auto outcome = context.getResults().initOutcome();
    if (context.getParams().getName() == "busy") {
      outcome.setBusy(rpc::WorkspaceState::RUNNING);
    } else if (context.getParams().getName() != "demo") {
      outcome.setAbsent();
    } else if (wanted < PRESENT_MIB) {
      outcome.setInvalid("diskMib is too small");
    } else if (wanted > MOST_MIB) {
      outcome.setNoSpace("evil\x1b[2J");
    } else {
      auto info = outcome.initResized();
      info.initSpec().setDiskMib(wanted);
      info.setState(rpc::WorkspaceState::STOPPED);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> doctor(DoctorContext context) override {
    auto findings = context.getResults().initFindings(fake.refusesHost ? 3 : 2);
    findings[0].setName("fuse");
    findings[0].setFound("/dev/fuse");
    findings[1].setName("swap");
    findings[1].setVerdict(rpc::Verdict::WARN);
    findings[1].setFound("not encrypted: /dev/sda\x1b[m");
    findings[1].setAdvice("swapoff \x1b[m it");
    if (fake.refusesHost) {
      findings[2].setName("root");
      findings[2].setVerdict(rpc::Verdict::REFUSE);
      findings[2].setFound("bothyd runs as user 1000");
      findings[2].setAdvice("start it as root");
    }
    return kj::READY_NOW;
  }

private:
  static kj::Promise<void> tell(rpc::Progress::Client progress, rpc::Stage stage) {
    auto request = progress.stageRequest();
    request.setStage(stage);
    // Nobody listens where the client gave no capability.
    return request.send().catch_([](kj::Exception&&) {});
  }
  static void describe(rpc::WorkspaceInfo::Builder info, kj::StringPtr name,
                       rpc::WorkspaceState state) {
    auto spec = info.initSpec();
    spec.setName(name);
    spec.setImage("base");
    spec.setCpus(2);
    spec.setMemoryMib(512);
    spec.setDiskMib(4096);
    info.setState(state);
  }

  FakeSupervisor& fake;
};

FakeSupervisor::FakeSupervisor() {}

FakeSupervisor::~FakeSupervisor() noexcept(false) {
  breakConnections();
}

kj::Own<kj::AsyncIoStream> FakeSupervisor::connect(kj::AsyncIoProvider& provider) {
  KJ_REQUIRE(!down, "the test took the supervisor down");
  auto pipe = provider.newTwoWayPipe();
  ++connections;
  links.add(kj::heap<RpcConnection>(kj::mv(pipe.ends[0]), kj::heap<Server>(*this)));
  return kj::mv(pipe.ends[1]);
}

void FakeSupervisor::breakConnections() {
  viewers.clear();
  links.clear();
}

void FakeSupervisor::showTerminal() {
  for (auto& viewer : viewers) {
    // After what is on its way: a viewer gets the bytes in order.
    viewer->showing = viewer->showing.then([this, v = viewer.get()] { return show(*v); })
                          .eagerlyEvaluate(nullptr);
  }
}

kj::Promise<void> FakeSupervisor::show(Viewer& viewer) {
  if (viewer.next < terminal.oldest) {
    auto gap = viewer.client.gapRequest();
    gap.setSequence(viewer.next);
    gap.setLost(terminal.oldest - viewer.next);
    co_await gap.send();
    viewer.next = terminal.oldest;
  }
  if (viewer.next < terminal.output.size()) {
    auto request = viewer.client.outputRequest();
    request.setSequence(viewer.next);
    request.setData(terminal.output.asBytes().slice(viewer.next, terminal.output.size()));
    viewer.next = terminal.output.size();
    co_await request.send();
  }
  KJ_IF_MAYBE (code, terminal.exitCode) {
    auto request = viewer.client.exitedRequest();
    request.initStatus().setExited(static_cast<uint8_t>(*code));
    co_await request.send();
  }
}

}  // namespace bothy
