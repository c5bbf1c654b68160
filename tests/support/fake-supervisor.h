#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "schema/supervisor.capnp.h"
#include "support/fake-files.h"
#include "support/fake-program.h"
#include "support/fake-terminal.h"
#include "wire/rpc-connection.h"

namespace bothy {

// A supervisor for tests of its clients, in this process, with one running workspace, "demo", and one that
// is stopped, "idle".  Served over socket pairs; what its terminals and programs do, the test says.
class FakeSupervisor final {
public:
  FakeSupervisor();
  ~FakeSupervisor() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FakeSupervisor);

  // The client's end of a new connection.
  kj::Own<kj::AsyncIoStream> connect(kj::AsyncIoProvider& provider);
  // Serves the other end of one.
  RpcConnection& serve(kj::Own<kj::AsyncIoStream> stream);
  // Ends all connections, as a supervisor that is killed does.
  void breakConnections();
  // After how many messages the next connections break, the first one's first.
  kj::Vector<kj::uint> cuts;
  // While set, connect() throws.
  bool down = false;
  kj::uint connections = 0;
  kj::uint lists = 0;  // how often the workspaces were asked for

  // What is in "demo".
  FakeTerminal terminal;
  FakeProgram program;
  FakeFiles files;

  // Set: what serves the programs of "demo" in place of `program`.
  kj::Maybe<kj::Function<rpc::Processes::Client()>> processes;
  // Set: what serves the files of a user of "demo" in place of `files`.
  kj::Maybe<kj::Function<rpc::Files::Client(kj::StringPtr user)>> filesOf;

  // What `watch` calls the newest event.
  uint64_t lastEvent = 0;
  // Tells whoever watches the next so many events; the first has the number 1.
  void tellEvents(kj::uint count);

  // Why "demo" stands still; empty: it does not.
  kj::String stalled;

  // When "demo" was started last.
  int64_t startedNanos = 1;
  // Set: "demo" is in this state, and nobody is connected to it.
  kj::Maybe<rpc::WorkspaceState> state;
  // Whether its agent does not answer.
  bool unreachable = false;

  // Whether `doctor` finds, beside a good one and a weak one, what is to be refused.
  bool refusesHost = false;

  // What the next `create` or `start` answers; null: it goes well.
  kj::Maybe<kj::String> startFailure;

private:
  class Server;
  class WorkspaceServer;
  class SystemServer;

  // The messages that one of the connections may still carry.
  kj::Vector<kj::Own<kj::uint>> budgets;
  kj::Vector<kj::Own<RpcConnection>> links;
  kj::Maybe<rpc::EventSink::Client> watcher;
  uint64_t events = 0;  // told
  kj::Promise<void> telling = kj::READY_NOW;
};

}  // namespace bothy
