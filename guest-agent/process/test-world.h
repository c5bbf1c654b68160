#pragma once

#include <kj/async-io.h>
#include <kj/filesystem.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "process/programs.h"
#include "schema/process.capnp.h"
#include "schema/stream.capnp.h"
#include "wire/rpc-connection.h"

// For the tests of programs: the event loop and what programs need, as main sets them up, with users of their own
// and, where this machine lets us make one, a cgroup root.

namespace bothy {

// As main does; orphans come to the test, as they come to PID 1.
kj::AsyncIoContext setupTestIo();

struct Collected;

enum class Trees { CGROUPS_IF_POSSIBLE, SESSIONS };

class TestWorld {
public:
  // `timer`: of programs; by default that of the loop.
  explicit TestWorld(Trees trees = Trees::CGROUPS_IF_POSSIBLE,
                     kj::Maybe<kj::Timer&> timer = nullptr);
  // Kills what is left.
  ~TestWorld() noexcept(false);

  kj::AsyncIoContext io;
  kj::WaitScope& scope;
  kj::String directory;  // temporary; holds etc/, home/ and run/
  kj::Maybe<kj::String> cgroupRoot;
  kj::Own<Programs> programs;
  uid_t uid;  // of `user`: the tester, or somebody else if that is root

  kj::String path(kj::StringPtr name) { return kj::str(directory, "/home/", name); }
  void writeEtc(kj::StringPtr name, kj::StringPtr text);
  kj::String readHome(kj::StringPtr name);

  // Another connection to what `bootstrap` serves.
  template <typename Interface>
  typename Interface::Client connect(typename Interface::Client bootstrap) {
    return connectUntyped(kj::mv(bootstrap)).template castAs<Interface>();
  }
  // Breaks the connections made so far.
  void disconnect();
  // Resolves when no process is left, of those either that would wait for the next programs.
  kj::Promise<void> onChildless();
  // Waits until it is so, or so much has come, in real time, and fails where that takes a minute.
  void await(kj::FunctionParam<bool()> isSo);
  void await(const Collected& out, size_t bytes);

private:
  struct Connection {
    Connection(kj::TwoWayPipe pipe, capnp::Capability::Client bootstrap)
        : server(kj::mv(pipe.ends[0]), kj::mv(bootstrap)),
          client(kj::heap<RpcConnection>(kj::mv(pipe.ends[1]))) {}
    RpcConnection server;
    kj::Own<RpcConnection> client;
  };
  kj::Vector<kj::Own<Connection>> connections;
  capnp::Capability::Client connectUntyped(capnp::Capability::Client bootstrap);
};

// What the listener of programs hears.
struct HeardPrograms final: public ProgramListener {
  RunningPrograms running;
  uint ends = 0;
  uint inputs = 0;
  void programEnded(const ProgramEnd&) override { ends++; }
  void runningChanged(RunningPrograms now) override { running = now; }
  void inputCame() override { inputs++; }
};

// What a CollectingSink got; outlives it.
struct Collected {
  kj::Vector<kj::byte> bytes;
  uint ends = 0;
  uint writes = 0;
  uint64_t lost = 0;
  // Set: writes do not return until it is resolved.
  kj::Maybe<kj::ForkedPromise<void>> gate;
  // The same of ends.
  kj::Maybe<kj::ForkedPromise<void>> endGate;

  void restart() {
    bytes.clear();
    ends = 0;
    lost = 0;
  }
  kj::String text() const {
    return kj::heapString(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  }
};

rpc::ByteSink::Client collectInto(Collected& collected);

// Sets `command` to `sh -c script`.
void setShell(rpc::Command::Builder command, kj::StringPtr script);
void setArguments(rpc::Command::Builder command, kj::ArrayPtr<const kj::StringPtr> arguments);

}  // namespace bothy
