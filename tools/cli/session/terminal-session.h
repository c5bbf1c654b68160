#pragma once

#include <kj/async.h>
#include <kj/one-of.h>

#include "client/kept-terminal.h"
#include "session/command-line.h"
#include "session/context.h"
#include "session/terminal-input.h"
#include "session/terminal-output.h"
#include "session/workspace-connection.h"

namespace bothy {

// The user at a terminal of a workspace, until its program ends or the user detaches.
//
// A lost lane is made again, and the output goes on at the next byte; that bothyd restarts is not noticed.  What was typed
// meanwhile is sent then; what was on its way when the connection broke may or may not have arrived, is not
// sent again, and is told with its size.
class TerminalSession final: private KeptTerminal::Listener {
public:
  struct Target {
    kj::StringPtr workspace;
    const CommandLine& command;    // what a new terminal runs
    kj::Maybe<uint64_t> attachTo;  // a terminal that exists
    bool viewOnly = false;         // it is looked at, and nothing else
  };

  // `start`: as WorkspaceConnection has it.
  TerminalSession(Context& context, Target target, DetachKeys keys,
                  kj::Maybe<StartWorkspace> start = nullptr);
  ~TerminalSession() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(TerminalSession);

  // The exit code for bothy: the program's; 0 after detaching.  Call once.
  kj::Promise<int> run();

private:
  struct Exited {
    int code;
  };
  struct Detached {
    kj::String reason;  // empty: the user asked for it
    int code;
  };
  using Ending = kj::OneOf<Exited, Detached>;

  kj::Promise<void> open();
  // Closes the terminal that is being opened, and that nobody has seen.
  kj::Promise<void> giveUp(kj::Promise<void> opening);
  kj::Promise<void> openNew();
  kj::Promise<void> openExisting(uint64_t id);
  kj::Promise<void> follow();
  kj::String describeEnd(KeptTerminal::End how);
  void noteLeftOver();

  kj::Promise<void> readInput();
  kj::Promise<void> showOutput();
  kj::Promise<void> followSize();
  kj::Promise<void> followSignals();

  kj::Promise<void> onOutput(const OutputCursor::Piece& piece) override;
  kj::Promise<void> onGap(uint64_t announced, uint64_t lost) override;
  kj::Promise<void> onRedraw(rpc::TerminalViewer::RedrawParams::Reader redraw) override;
  void onResized(rpc::WindowSize::Reader size) override {}
  void onExited(rpc::ExitStatus::Reader status) override;
  void fillSize(rpc::Terminal::OptionalSize::Builder size) override;
  void onAttached(rpc::Attachment::Client attachment) override;
  void onLost() override;

  bool setSize(rpc::WindowSize::Builder size);
  void end(Ending ending);
  // What cannot be read or shown here leaves the terminal.
  void endBy(const kj::Exception& exception);
  void notice(kj::StringPtr text);
  int conclude();

  Context& context;
  Target target;
  bool interactive;
  WorkspaceConnection connection;
  TerminalInput input;
  TerminalOutput output;
  KeptTerminal terminal;
  kj::Promise<void> writing = kj::READY_NOW;
  bool wasLost = false;
  kj::Promise<void> lossNotice = nullptr;
  bool wasAskedFor = false;  // a new terminal

  kj::Maybe<Ending> ending;
  kj::Own<kj::PromiseFulfiller<void>> ended;
  kj::ForkedPromise<void> whenEnded;
};

}  // namespace bothy
