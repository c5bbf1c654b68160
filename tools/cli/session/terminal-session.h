#pragma once

#include <kj/async.h>
#include <kj/one-of.h>

#include "schema/system.capnp.h"
#include "schema/terminal.capnp.h"
#include "session/command-line.h"
#include "session/context.h"
#include "session/terminal-input.h"
#include "session/terminal-output.h"
#include "session/workspace-connection.h"

namespace bothy {

// The user at a terminal of a workspace, until its program ends or the user detaches.
//
// A lost lane is made again, and the output goes on at the next byte; that bothyd restarts is not noticed.  What was typed
// meanwhile is sent then; what was on its way when the connection broke may or may not have arrived and is not
// sent again.
class TerminalSession final {
public:
  struct Target {
    kj::StringPtr workspace;
    const CommandLine& command;    // what a new terminal runs
    kj::Maybe<uint64_t> attachTo;  // a terminal that exists
  };

  TerminalSession(Context& context, Target target, DetachKeys keys);
  ~TerminalSession() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(TerminalSession);

  // The exit code for bothy: the program's; 0 after detaching.  Call once.
  kj::Promise<int> run();

private:
  class Viewer;
  // One attachment; dropping it detaches.
  struct Attached {
    kj::Own<WorkspaceLane> lane;
    rpc::Terminal::Client terminal;
    rpc::Attachment::Client attachment;
    kj::ForkedPromise<void> lost;
    kj::Promise<void> writing;
  };
  struct Exited {
    int code;
  };
  struct Detached {
    kj::String reason;  // empty: the user asked for it
    int code;
  };
  using Ending = kj::OneOf<Exited, Detached>;

  kj::Promise<void> open();
  kj::Promise<void> keepAttached();
  kj::Promise<void> reconnect();
  kj::Promise<void> attachAgain(kj::Own<WorkspaceLane> lane);
  kj::Promise<void> readBootId(rpc::Agent::Client agent);

  kj::Promise<void> readInput();
  kj::Promise<void> showOutput();
  kj::Promise<void> followSize();
  kj::Promise<void> followSignals();

  void attached(kj::Own<WorkspaceLane> lane, rpc::Terminal::Client terminal,
                rpc::Attachment::Client attachment, kj::Promise<void> viewerGone);
  bool setSize(rpc::WindowSize::Builder size);
  void end(Ending ending);
  void notice(kj::StringPtr text);
  int conclude();

  Context& context;
  Target target;
  bool interactive;
  WorkspaceConnection connection;
  TerminalInput input;
  TerminalOutput output;

  uint64_t id = 0;
  kj::String bootId;  // empty: not known yet
  kj::Promise<void> readingBootId = kj::READY_NOW;
  kj::Maybe<Attached> current;

  kj::Maybe<Ending> ending;
  kj::Own<kj::PromiseFulfiller<void>> ended;
  kj::ForkedPromise<void> whenEnded;
};

}  // namespace bothy
