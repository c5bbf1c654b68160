#pragma once

#include <kj/async-io.h>
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
  // Ends all connections, as a supervisor that is killed does.
  void breakConnections();
  // While set, connect() throws.
  bool down = false;
  kj::uint connections = 0;

  // What is in "demo".
  FakeTerminal terminal;
  FakeProgram program;
  FakeFiles files;

  // What `watch` calls the newest event.
  uint64_t lastEvent = 0;
  // Tells whoever watches the next so many events; the first has the number 1.
  void tellEvents(kj::uint count);

  // Why "demo" stands still; empty: it does not.
  kj::String stalled;

  // Whether `doctor` finds, beside a good one and a weak one, what is to be refused.
  bool refusesHost = false;

  // What the next `create` or `start` answers; null: it goes well.
  kj::Maybe<kj::String> startFailure;

private:
  class Server;
  class WorkspaceServer;
  class SystemServer;

  kj::Vector<kj::Own<RpcConnection>> links;
  kj::Maybe<rpc::EventSink::Client> watcher;
  uint64_t events = 0;  // told
  kj::Promise<void> telling = kj::READY_NOW;
};

}  // namespace bothy
