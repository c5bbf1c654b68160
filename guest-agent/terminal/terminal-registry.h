#pragma once

#include <kj/map.h>

#include "process/client-actions.h"
#include "process/programs.h"
#include "process/requested-starts.h"
#include "terminal/terminal.h"

namespace bothy {

// All terminals of the workspace; made once by main, outlives every facet.  Dropping it abandons them:
// their programs get SIGHUP from the kernel.
//
// A terminal is here while its program runs, or until it was closed.  Of those that have ended the last ENDED_TERMINALS are kept.
//
// So many scrollbacks there are at most, whoever holds terminals: those of rpc::MAX_TERMINALS that run or that are here no
// more and have viewers, of ENDED_TERMINALS, and of LEFT_TERMINALS.  What they take together is for Programs to say (OutputBudget).
class TerminalRegistry final: private Terminal::Owner {
public:
  // `programs` outlives the registry.
  explicit TerminalRegistry(Programs& programs);
  // Where the workspace's descriptions of terminals are, for tests.
  TerminalRegistry(Programs& programs, kj::Array<kj::String> terminfoDirectories);
  ~TerminalRegistry() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(TerminalRegistry);

  // Starts a program on a new terminal, which `actions` is told.
  kj::Promise<kj::OneOf<kj::Own<Terminal>, StartFailure>> open(rpc::Command::Reader command,
                                                               WindowSize size, kj::StringPtr term,
                                                               ClientActions& actions);

  // The same, once for each request id; its terminal may have left the registry since.
  kj::Promise<kj::Own<RequestedStarts::Result>> openOnce(kj::StringPtr requestId,
                                                         rpc::Command::Reader command,
                                                         WindowSize size, kj::StringPtr term,
                                                         ClientActions& actions);

  kj::Maybe<kj::Own<Terminal>> find(uint64_t id);

  // In the order of their ids.  Valid until the event loop turns.
  kj::Array<Terminal*> list();

  kj::Timer& timer() { return programs.timer; }

private:
  struct Entry {
    kj::Own<Terminal> terminal;
    kj::String requestId;  // empty: it has none
  };

  Programs& programs;
  kj::Array<kj::String> terminfoDirectories;
  kj::Own<UnwatchedPace> pace;
  uint64_t nextId = 1;
  kj::uint starting = 0;
  kj::TreeMap<uint64_t, Entry> terminals;
  kj::Vector<uint64_t> ended;  // oldest first
  // Are here no more, but somebody holds them, and they have their scrollback.  Oldest first.
  kj::Vector<Terminal*> left;
  // Last: what it starts uses the rest.
  kj::Own<RequestedStarts> requested = kj::refcounted<RequestedStarts>(programs.timer);

  kj::Promise<kj::OneOf<kj::Own<Terminal>, StartFailure>> start(rpc::Command::Reader command,
                                                                WindowSize size, kj::StringPtr term,
                                                                kj::String requestId,
                                                                kj::Own<AskedStart> asked);
  void completed(Terminal& terminal) override;
  void closed(Terminal& terminal) override;
  void unwatched(Terminal& terminal) override;
  void gone(Terminal& terminal) override;
  kj::uint countRunning();
  kj::uint countLeftAndWatched();
  void forget(uint64_t id);
  void releaseLeft();
};

constexpr size_t ENDED_TERMINALS = 16;
// Of the terminals that left the registry and that nobody looks at, the last that keep their scrollback, for who asked how
// the program ended and then wants to see its output.
constexpr size_t LEFT_TERMINALS = 16;

}  // namespace bothy
