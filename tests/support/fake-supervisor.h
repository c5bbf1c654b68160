#pragma once

#include <kj/async-io.h>
#include <kj/map.h>

#include "schema/supervisor.capnp.h"
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

  // The one terminal of "demo", id 7.
  struct Terminal {
    kj::String output = kj::str();  // all of it, from byte 0
    uint64_t oldest = 0;            // bytes before it are not kept
    kj::Vector<kj::byte> input;
    kj::Maybe<int> exitCode;
    kj::String size;     // "80x24", as last set
    kj::String command;  // argv joined by blanks, as opened
    kj::String term;
    kj::uint attachments = 0;
  };
  Terminal terminal;
  // Sends what was appended to `terminal.output`, and the exit, to whoever is attached.
  void showTerminal();

  // Programs: "cat" copies its input, "exit N" exits, "kill N" is killed, "talk" writes to both outputs, "sleep"
  // waits for a signal that ends it; everything else is not found, "locked" not executable.
  struct Program {
    kj::String command;
    kj::String user;
    kj::String environment;
    bool inputEnded = false;
    kj::Vector<uint8_t> signals;
    bool dropped = false;  // nobody holds it any more
  };
  Program program;

  struct File {
    kj::Array<kj::byte> bytes;
    uint16_t mode = 0644;
    bool directory = false;
    bool stopsInTheMiddle = false;  // a read sends one chunk and no more
  };
  kj::TreeMap<kj::String, File> files;  // by path from the root, with a leading "/"

  // Whether `doctor` finds, beside a good one and a weak one, what is to be refused.
  bool refusesHost = false;

  // What the next `create` or `start` answers; null: it goes well.
  kj::Maybe<kj::String> startFailure;

private:
  class Server;
  class WorkspaceServer;
  class TerminalsServer;
  class TerminalServer;
  class AttachmentServer;
  class ProcessesServer;
  class ProcessServer;
  class CatInput;
  class FilesServer;
  class FullDisk;
  class FileWriter;
  class SystemServer;
  struct Viewer {
    rpc::TerminalViewer::Client client;
    uint64_t next;
    kj::Promise<void> showing;
    uint64_t number;
  };

  kj::Promise<void> show(Viewer& viewer);

  kj::Vector<kj::Own<RpcConnection>> links;
  kj::Vector<kj::Own<Viewer>> viewers;
  uint64_t viewerNumber = 0;
};

}  // namespace bothy
