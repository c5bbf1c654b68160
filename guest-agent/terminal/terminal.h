#pragma once

#include <kj/refcount.h>

#include "process/child-process.h"
#include "terminal/input-turns.h"
#include "terminal/pty.h"
#include "terminal/scrollback.h"
#include "terminal/wanted-size.h"

namespace bothy {

class Viewer;

// A program on a pseudo-terminal, with what it wrote last.  Nobody who looks at it keeps it alive: the
// registry does, and whoever holds a reference may still read the end.
class Terminal final: public kj::Refcounted {
public:
  // Told what decides how long a terminal stays in the registry.
  class Owner {
  public:
    // The program has ended and its output is complete.
    virtual void programEnded(Terminal& terminal) = 0;
    // Somebody knows that it has.
    virtual void endTold(Terminal& terminal) = 0;
    // close() is through.
    virtual void closed(Terminal& terminal) = 0;
    // It has no viewer any more.
    virtual void unwatched(Terminal& terminal) = 0;
    // Nobody holds it any more.  Called by its destructor.
    virtual void gone(Terminal& terminal) = 0;
  };

  // `pty`'s program side belongs to `child`, which has just been started.
  Terminal(ProcessHost& host, Owner& owner, uint64_t id, kj::String title, WindowSize size,
           kj::Own<Pty> pty, kj::Own<ChildProcess> child);
  ~Terminal() noexcept(false);

  const uint64_t id;
  const kj::String title;

  WindowSize size() const { return windowSize; }
  pid_t pid() const { return child->pid(); }
  uint countViewers() const { return viewers.size(); }
  // What the program wrote, as far as it was read.
  const Scrollback& output() const { return scrollback; }
  // None until the program has ended and all its output is in output().
  kj::Maybe<ExitStatus> status() const { return endStatus; }

  // Every viewer is told of a change.  When the last viewer of who set a size detaches, it becomes the one that was set last
  // of those whose viewers are left.
  void resize(WantedSize& by, WindowSize size);
  // The size that the terminal has is the one that `by` wants.
  void noteSize(WantedSize& by, WindowSize size);
  bool signal(int number);

  // Resolves when the program's input queue has taken all of it.  DISCONNECTED if nobody reads it any
  // more.  The caller keeps `data` until then.
  kj::Promise<void> write(kj::ArrayPtr<const kj::byte> data);

  // Resolves when more of the output was read, and viewers were woken.
  kj::Promise<void> onOutput();

  // Resolves when status() is known; for whoever passes it on to somebody, who calls told() then.
  kj::Promise<ExitStatus> onEnd() { return ended.addBranch(); }
  void told();
  // Sends status() to a viewer.  Whoever detaches at once was told nonetheless.
  void tellEnd(rpc::TerminalViewer::Client viewer);
  // Tells the owner nothing more.
  void disown() { owner = nullptr; }
  // Frees what an ended terminal holds for those who have it: the bytes of output(), in whose place they find a gap, and the
  // tree of its program, unless a member of that lives.
  void release();

  // Ends the whole tree; goes on when the promise is dropped.
  kj::Promise<void> close();

  // For Viewer.  While one is added it sets the pace.
  void add(Viewer& viewer);
  void remove(Viewer& viewer);
  // A viewer has taken bytes: the program may go on.
  void viewerMoved();

private:
  ProcessHost& host;
  kj::Maybe<Owner&> owner;
  WindowSize windowSize;
  uint64_t sizeTurns = 0;
  uint64_t sizeTurn = 0;        // of who set it
  kj::Maybe<kj::Own<Pty>> pty;  // none once the program has ended
  kj::Own<ChildProcess> child;
  Scrollback scrollback;
  kj::Vector<Viewer*> viewers;
  kj::Own<InputTurns> inputTurns = kj::refcounted<InputTurns>();
  // Of who waits for more output; none: nobody does.
  struct NextOutput {
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
    kj::ForkedPromise<void> promise;
  };
  kj::Maybe<NextOutput> nextOutput;
  kj::Maybe<ExitStatus> endStatus;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> heldBack;
  kj::ForkedPromise<ExitStatus> ended;

  kj::Promise<ExitStatus> run();
  kj::Promise<void> readOutput();
  Pty::ReadResult readTurn(size_t limit);
  bool mustHoldBack(bool programEnded) const;
  void wakeViewers();
  void applySize(WindowSize size);
  void restoreSizeAfter(uint64_t turn);
};

}  // namespace bothy
