#pragma once

#include <kj/debug.h>
#include <kj/function.h>
#include <kj/map.h>

#include <set>
#include <string>

#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "schema/files.capnp.h"
#include "schema/supervisor.capnp.h"
#include "schema/workspace.capnp.h"
#include "support/recording-viewer.h"
#include "support/supervised-host.h"

namespace bothy {

// What a program that was run left.
struct Finished {
  kj::String status;  // as describe() has it: "exited 0"
  kj::String out;
  kj::String err;
  uint32_t detached;
};

// A running workspace on a SupervisedHost.
class TestWorkspace final {
public:
  struct Options {
    kj::StringPtr name = "test";
    kj::StringPtr image = "";  // empty: the host's default
    uint16_t cpus = 0;
    uint32_t memoryMib = 0;
    uint32_t diskMib = 256;
    // In the place of the three.
    kj::StringPtr tier = "";
  };
  explicit TestWorkspace(SupervisedHost& host);
  TestWorkspace(SupervisedHost& host, Options options);
  KJ_DISALLOW_COPY_AND_MOVE(TestWorkspace);

  SupervisedHost& host;
  const kj::String name;

  // Forgets its lanes and opens others, after a restart of the machine.
  void reconnect();
  // The machine, which has ended.
  void startAgain();

  // Each over the lane that suits it, which is opened when it is first wanted.
  rpc::Terminals::Client terminals() {
    return agent(interactive, Interactive()).terminalsRequest().send().getTerminals();
  }
  rpc::System::Client system() {
    return agent(interactive, Interactive()).systemRequest().send().getSystem();
  }
  rpc::Processes::Client processes() {
    return agent(commands, Commands()).processesRequest().send().getProcesses();
  }
  rpc::Files::Client files(kj::StringPtr user = nullptr);

  // What `connect` answers, with a capability that holds the lane.
  using Connected = capnp::Response<rpc::Supervisor::ConnectResults>;
  Connected connect(kj::Function<void(rpc::LaneRequest::Builder)> want);
  // A lane of the test's own.
  kj::Own<Lane> openLane(kj::Function<void(rpc::LaneRequest::Builder)> want);

  // Runs a command to its end with no standard input.
  Finished run(kj::ArrayPtr<const kj::StringPtr> argv, kj::StringPtr user = nullptr);
  kj::Promise<Finished> start(kj::ArrayPtr<const kj::StringPtr> argv, kj::StringPtr user = nullptr);
  // sh -c SCRIPT; fails the test unless it exits with 0; returns its output without the last line feed.
  kj::String shell(kj::StringPtr script, kj::StringPtr user = nullptr);

  rpc::WorkspaceInfo::Reader info();
  rpc::Health::Reader health();

  // The far ends of the guest's vsock connections, by their ports.
  std::set<std::string> connections();

  // The machine's QEMU, found by what it has open.
  pid_t qemu();
  // Its vhost-user vsock device process.
  pid_t vsockDevice();
  // None where the vsock is the kernel's.
  kj::Maybe<pid_t> findVsockDevice();
  // A stream to a port of the guest that passes bothyd by, as any process of the host could have one that may open
  // the device's socket, or any at all where the vsock is the kernel's; nullptr if nobody listens.
  kj::Maybe<kj::Own<kj::AsyncIoStream>> dial(uint32_t port);
  // Dials the agent through the vsock device and is gone before its answer, as a bothyd that is killed.
  void breakOffDial();

private:
  struct Interactive {
    void operator()(rpc::LaneRequest::Builder wanted) const { wanted.setInteractive(); }
  };
  struct Commands {
    void operator()(rpc::LaneRequest::Builder wanted) const { wanted.setCommands(); }
  };
  kj::Maybe<kj::Own<Lane>> interactive;
  kj::Maybe<kj::Own<Lane>> commands;
  kj::HashMap<kj::String, kj::Own<Lane>> fileLanes;  // by user
  kj::Maybe<capnp::Response<rpc::Supervisor::GetResults>> lastInfo;
  kj::Maybe<capnp::Response<rpc::System::HealthResults>> lastHealth;
  kj::String id;

  template <typename Want>
  rpc::Agent::Client agent(kj::Maybe<kj::Own<Lane>>& lane, Want want) {
    if (lane == nullptr) lane = openLane(kj::mv(want));
    return KJ_ASSERT_NONNULL(lane)->bootstrap().castAs<rpc::Agent>();
  }

  // The question was asked, and nothing read.
  kj::Own<kj::AsyncIoStream> beginDial(uint32_t port);
  kj::Maybe<kj::Own<kj::AsyncIoStream>> dialKernel(uint32_t cid, uint32_t port);
};

// A terminal and what one viewer of it sees.
class TestTerminal final {
public:
  struct Options {
    kj::ArrayPtr<const kj::StringPtr> argv = nullptr;  // empty: the login shell
    uint16_t columns = 80;
    uint16_t rows = 24;
    kj::StringPtr term = "xterm-256color";
    kj::StringPtr user = "";  // empty: the workspace's
  };
  TestTerminal(TestWorkspace& workspace, Options options);
  // Another viewer of a terminal, of the same size, who comes to what is on its screen, or to all that it has kept.
  using Past = AttachedTerminal::Past;
  TestTerminal(Past past, TestTerminal& other);
  KJ_DISALLOW_COPY_AND_MOVE(TestTerminal);

  TestWorkspace& workspace;
  TerminalRecord record;
  uint64_t id = 0;

  rpc::Terminal::Client client() { return view.client(); }
  // While it is attached.
  rpc::Attachment::Client attachment() { return view.attached(); }

  void type(kj::StringPtr text);
  void resize(uint16_t columns, uint16_t rows);
  // Waits until the screen satisfies `condition`; fails the test with the screen's text.
  void waitUntil(kj::Function<bool()> condition, kj::StringPtr what);
  void waitForText(kj::StringPtr text);
  void waitForExit();

  // Gives up the viewer; attach() begins again at the next byte.
  void detach();
  void attach();
  // Waits until the screen stands still; what it shows.
  kj::String settled();
  // The same terminal through a new connection, found by its id.
  void find();

private:
  RecordingViewer viewer{record};
  AttachedTerminal view;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> changed;

  void listen();
  kj::Promise<void> nextChange();
};

}  // namespace bothy
