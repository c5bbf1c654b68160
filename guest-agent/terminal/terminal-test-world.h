#pragma once

#include "process/test-world.h"
#include "terminal/terminal-registry.h"
#include "terminal/test-viewer.h"

namespace bothy {

// The terminals of a workspace, seen through a real connection.
struct TerminalTestWorld: public TestWorld {
  static constexpr WindowSize SIZE = {132, 43};

  // `timer`: of programs; by default that of the loop.
  explicit TerminalTestWorld(kj::Maybe<kj::Timer&> timer = nullptr);
  ~TerminalTestWorld() noexcept(false);

  kj::Own<TerminalRegistry> registry;  // knows of one type of terminal, "known"
  rpc::Terminals::Client terminals = nullptr;

  // `Terminals` over another connection.
  rpc::Terminals::Client reconnect();

  struct Opened {
    rpc::Terminal::Client terminal;
    uint64_t id;
  };
  // Empty: the login shell.
  Opened open(kj::StringPtr script, kj::StringPtr term = "", WindowSize size = SIZE);

  using AttachRequest = capnp::Request<rpc::Terminal::AttachParams, rpc::Terminal::AttachResults>;
  // From the oldest byte.
  AttachRequest attachRequest(rpc::Terminal::Client terminal, Seen& seen);
  rpc::Attachment::Client attach(rpc::Terminal::Client terminal, Seen& seen);
  // As a client with a window of its own does.
  rpc::Attachment::Client attach(rpc::Terminal::Client terminal, Seen& seen, WindowSize size);
  void resize(rpc::Attachment::Client attachment, WindowSize size) {
    resizing(attachment, size).wait(scope);
  }
  // Every other call of an attachment comes behind what is being written.
  kj::Promise<void> resizing(rpc::Attachment::Client attachment, WindowSize size = SIZE);
  void type(rpc::Attachment::Client attachment, kj::StringPtr text);
  // Runs a script to its end; what it wrote.
  kj::String run(kj::StringPtr script, kj::StringPtr term = "");
  kj::uint count();
  // Waits until so much was read of what the program writes, which nobody need see.
  void untilProduced(rpc::Terminal::Client terminal, uint64_t bytes);
};

}  // namespace bothy
