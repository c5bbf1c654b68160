#pragma once

#include <kj/refcount.h>

#include "output/output-ring.h"
#include "process/child-process.h"
#include "terminal/pty.h"
#include "terminal/screen-view.h"
#include "terminal/unwatched-pace.h"
#include "wire/places.h"
#include "wire/waiters.h"

namespace bothy {

class Viewer;

// What a terminal keeps of its output in any case: see OutputBudget.
constexpr size_t LEAST_SCROLLBACK_BYTES = 8 * 1024;

// Between two redraws of one terminal.
constexpr kj::Duration REDRAW_PAUSE = 100 * kj::MILLISECONDS;

// A program on a pseudo-terminal, with what it wrote last.  Nobody who looks at it keeps it alive: the
// registry does, and whoever holds a reference may still read the end.
class Terminal final: public kj::Refcounted {
public:
  // Told what decides how long a terminal stays in the registry.
  class Owner {
  public:
    // The program has ended and its output is complete.
    virtual void completed(Terminal& terminal) = 0;
    // close() is through.
    virtual void closed(Terminal& terminal) = 0;
    // It has no viewer any more.
    virtual void unwatched(Terminal& terminal) = 0;
    // Nobody holds it any more.  Called by its destructor.
    virtual void gone(Terminal& terminal) = 0;
  };

  // `pty`'s program side belongs to `child`, which has just been started.
  Terminal(Programs& programs, Owner& owner, kj::Own<UnwatchedPace> pace, uint64_t id,
           kj::String title, WindowSize size, kj::Own<Pty> pty, kj::Own<ChildProcess> child);
  ~Terminal() noexcept(false);

  const uint64_t id;
  const kj::String title;

  WindowSize size() const { return windowSize; }
  pid_t pid() const { return child->pid(); }
  uint countViewers() const { return viewers.size(); }
  // Of those, who do not set the pace.
  uint countOnlookers() const;
  // Somebody looks who sets the pace.
  bool isWatched() const { return countOnlookers() < countViewers(); }
  // What the program wrote, as far as it was read.
  const OutputRing& output() const { return scrollback; }
  // What it shows, and the number of the byte of output() that comes after it.
  struct Shown {
    kj::Own<ScreenView::Snapshot> redraw;
    uint64_t sequence;
  };
  // Not before mayShow(): so one terminal makes no more than one in REDRAW_PAUSE, which takes milliseconds of a large screen.  Who comes
  // while the last one is younger has that and what came since, unless the size has changed.
  Shown shown();
  kj::Promise<void> mayShow();
  const ScreenState& screenState() const { return screen.state(); }
  // None until the program has ended and all its output is in output().
  kj::Maybe<ExitStatus> status() const { return endStatus; }

  // The viewer, which is added, wants this size from now on: see Attachment of terminal.capnp.
  void resize(Viewer& viewer, WindowSize size);
  // It types: the size that it wants is the terminal's.
  void noteTyping(Viewer& viewer);
  bool signal(int number);

  // Resolves when the program's input queue has taken all of it.  DISCONNECTED if nobody reads it any
  // more.  The caller keeps `data` until then.
  kj::Promise<void> write(kj::ArrayPtr<const kj::byte> data);

  // Resolves when more of the output was read, and viewers were woken.
  kj::Promise<void> onOutput() { return nextOutput.wait(); }

  // Resolves when status() is known.
  kj::Promise<ExitStatus> onEnd() { return ended.addBranch(); }
  // For what is sent to a viewer that may detach at once.
  void runInBackground(kj::Promise<void> sending) { programs.runInBackground(kj::mv(sending)); }
  // Sends status() to a viewer, also to one that detaches at once.
  void sendEnd(rpc::TerminalViewer::Client viewer);
  // Tells the owner nothing more.
  void disown() { owner = nullptr; }
  // Frees what an ended terminal holds for those who have it: the bytes of output(), in whose place they find a gap, and the
  // tree of its program, unless a member of that lives.
  void release();

  // Ends the whole tree; goes on when the promise is dropped.
  kj::Promise<void> close();

  // For Viewer.  While one is added it sets the pace.
  // `size`: that it wants.
  void add(Viewer& viewer, kj::Maybe<WindowSize> size);
  void remove(Viewer& viewer);
  // A viewer has taken bytes: the program may go on.
  void viewerMoved();

private:
  Programs& programs;
  kj::Maybe<Owner&> owner;
  kj::Own<UnwatchedPace> pace;
  WindowSize windowSize;
  uint64_t sizeTurns = 0;       // so many times somebody has decided the size
  kj::Maybe<kj::Own<Pty>> pty;  // none once the program has ended
  kj::Own<ChildProcess> child;
  OutputRing scrollback;
  ScreenView screen;
  // The last redraw, for REDRAW_PAUSE.
  struct LastShown {
    Shown shown;
    kj::TimePoint until;
    bool isOfThisSize = true;
  };
  kj::Maybe<LastShown> lastShown;
  kj::Promise<void> forgettingShown = nullptr;
  kj::Vector<Viewer*> viewers;
  // One writer at a time, in the order in which they came.
  kj::Own<Places> inputTurns = kj::refcounted<Places>(1);
  Waiters nextOutput;
  kj::Maybe<ExitStatus> endStatus;
  Waiters heldBack;
  kj::ForkedPromise<ExitStatus> ended;

  kj::Promise<ExitStatus> run();
  kj::Promise<void> readOutput();
  Pty::ReadResult readTurn(size_t limit);
  // The last redraw, if it can be had again.
  kj::Maybe<Shown&> stillShown();
  bool mustHoldBack(bool hasEnded);
  // Makes room; how much of `wanted` can be read now without a gap for the viewer that is ahead of the others, if one sets the pace; if none does,
  // without a loss of what has come from `turnBegan` on, which the screen has not seen yet.
  size_t makeRoomFor(size_t wanted, uint64_t turnBegan);
  // What a redraw needs, beside what it shows, is kept.
  bool canShow() const;
  uint64_t fastestViewer() const;
  kj::Promise<void> untilItMayGoOn(bool hasEnded);
  void wakeViewers();
  void tellNews();
  // The viewer that decides the size: of those that want one, who came or typed last.
  kj::Maybe<Viewer&> decider();
  void applySize(WindowSize size);
};

}  // namespace bothy
