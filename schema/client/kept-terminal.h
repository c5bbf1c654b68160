#pragma once

#include "client/attached-terminal.h"
#include "client/reconnection.h"

namespace bothy {

// A terminal of a workspace that is looked at over as many lanes as it takes: after a lost one it is attached to again, at the next
// byte of its output.
//
// Input is the caller's: what was on its way when a lane was lost may or may not have arrived, and nobody can tell.
class KeptTerminal final {
public:
  class Listener: public TerminalListener {
  public:
    // The size of the screen, which the terminal takes over where it is not `unchanged`.
    virtual void fillSize(rpc::Terminal::OptionalSize::Builder size) = 0;
    // It can be typed at by this, until onLost().  Called for each attachment, once the first byte of its output may come.
    virtual void onAttached(rpc::Attachment::Client attachment) = 0;
    // Its lane is lost, and another is asked for.
    virtual void onLost() = 0;
  };

  // How it was followed to its end.
  enum class End {
    EXITED,        // the listener was told how
    STARTED_ANEW,  // the workspace was, while there was no lane: the terminal has ended
    ENDED_UNSEEN,  // while there was no lane
    IN_DOUBT,      // it was asked for, and its agent is too old to tell what came of that
    AGENT_TOO_OLD,  // its agent does not know how it is typed at; one that was asked for has been closed
  };

  // What is borrowed outlives it.
  KeptTerminal(Reconnection& reconnection, Listener& listener,
               AttachedTerminal::Past past = AttachedTerminal::Past::BYTES);
  KJ_DISALLOW_COPY_AND_MOVE(KeptTerminal);

  // Either of the two is called, once; both fail as Reconnection does, and openExisting() where the lane breaks that it got.

  // Why a new terminal cannot be followed: its outcome says why none was opened, or it has ended meanwhile.
  using NotOpened = kj::OneOf<AttachedTerminal::NotOpened, End>;
  // Opens a new terminal, one, however often it had to be asked for.  None: so it is.
  kj::Promise<kj::Maybe<NotOpened>> open(
      kj::Function<void(rpc::Terminals::OpenParams::Builder)> fill);
  // It was asked for, and that was not answered: there may be a terminal that nobody looks at.
  bool mayBeOpen() const {
    return startedNanos != nullptr && lane == nullptr && (unopened == nullptr || isInDoubt());
  }
  enum class Found { YES, ABSENT, AGENT_TOO_OLD };
  // Attaches to one that exists.
  kj::Promise<Found> openExisting(uint64_t id);

  // Returns when there is nothing more to see.  Fails as Reconnection does.
  kj::Promise<End> follow();
  // Detaches, and gives up the lane.
  void leave();

  uint64_t id() const { return view.id(); }
  // None while the lane is lost.
  kj::Maybe<rpc::Terminal::Client> reached();
  kj::Maybe<rpc::Attachment::Client> attached();

private:
  Reconnection& reconnection;
  Listener& listener;
  const kj::String requestId;
  AttachedTerminal view;
  kj::Maybe<kj::Own<WorkspaceLane>> lane;
  // Of the boot in which the terminal is, or was asked for, once that may have been heard: ids are used again after a boot, for
  // other terminals, and a request id opens a second one.
  kj::Maybe<int64_t> startedNanos;
  // What the last attempt has found, to open or to attach again, where there is nothing to attach to.
  kj::Maybe<NotOpened> unopened;
  kj::Maybe<End> unfollowed;

  bool isInDoubt() const {
    KJ_IF_MAYBE (why, unopened) {
      KJ_IF_MAYBE (end, why->tryGet<End>()) return *end == End::IN_DOUBT;
    }
    return false;
  }
  kj::Promise<void> openOver(kj::Own<WorkspaceLane> newLane,
                             kj::Function<void(rpc::Terminals::OpenParams::Builder)>& fill);
  kj::Promise<kj::Own<WorkspaceLane>> firstLane();
  kj::Promise<void> attachAgain(kj::Own<WorkspaceLane> newLane);
  void begin(kj::Own<WorkspaceLane> newLane);
};

}  // namespace bothy
