#pragma once

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/function.h>
#include <kj/list.h>
#include <kj/map.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include "schema/limits.capnp.h"
#include "wire/guard-rules.h"
#include "wire/message-part.h"
#include "wire/read-receipts.h"
#include "wire/waiters.h"

namespace bothy {

class MessageBudget;

// Stands between an RPC system and a peer that is not trusted, and ends the connection with an exception when the
// peer does what its rules do not allow.  Texts of the peer's exceptions are replaced (exception-text.h).  Reads at most so many bytes
// and messages, and for so long, in one turn of the event loop: a peer that never pauses keeps nobody else waiting.
//
// Knows Cap'n Proto 1.4's RPC system: that echoes a message of an unknown kind whole, and keeps entries for answers
// and exports for as long as the peer likes.
class MessageGuard final: public capnp::MessageStream {
public:
  // All of them outlive it.  `clock` goes on within a turn; without it no turn ends by its time, only by its messages and bytes:
  // enough where the work for a message is bounded by its bytes.  `holder` names whose connection it is: those of one share what
  // one may have of the budget.  Empty: nobody's, so that it is a holder by itself.
  MessageGuard(capnp::MessageStream& inner, kj::Timer& timer, GuardRules rules,
               kj::Maybe<MessageBudget&> budget = nullptr,
               kj::Maybe<const kj::MonotonicClock&> clock = nullptr,
               kj::StringPtr holder = nullptr);
  ~MessageGuard() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(MessageGuard);

  // Messages that came so far.
  uint64_t received() const { return messagesReceived; }
  // Whether something waits for the peer's end of the stream to take it.
  bool isWriting() const { return writingBytes > 0; }
  // Whether it reads: neither limits of ours nor the RPC system's keep it from that.
  bool isReading() const { return reading; }
  // Calls of ours that wait for their Return.
  size_t openQuestions() const { return receipts.openQuestions(); }
  // Whether a message was written that the peer may not have read.
  bool isAnyUnread() const { return receipts.isAnyMissing(); }
  // `listener` is called before each message is written.
  void notifySent(kj::Function<void()> listener) { sentListener = kj::mv(listener); }

  // `size` tells what waits to be written, in bytes, with WAITING_MESSAGE_BYTES of each message: see RpcNetwork.
  void watchQueue(kj::Function<size_t()> size) { queueBytes = kj::mv(size); }

  // Why the connection is ended here, if that is known: by what the peer did, or for what it holds.  No word of it is the peer's.
  kj::Maybe<kj::StringPtr> whyEnded() const {
    return firstReason.map([](const kj::String& why) { return why.asPtr(); });
  }

  // Resolves when the next message may be read.
  kj::Promise<void> untilRoom();
  // The same of the next of a large one, of which so much has come.  To be asked before each part of it, the first too.  None: it may
  // be read at once.
  kj::Maybe<kj::Promise<void>> waitForPart(size_t bytes);
  kj::Promise<void> untilRoomForPart(size_t bytes);
  // Resolves when the connection is to be dropped, for what it holds: see MessageBudget.  Nothing is read any more then.
  kj::Promise<void> onCut();
  bool hasBeenCut() const { return isCut; }
  // Resolves when a stream may send on: when less than MOST_WAITING_BYTES wait to be written.  So its next message is filled while
  // the peer takes the last one; and two ends never wait for each other, as reading stops only at a limit that is far above.
  kj::Promise<void> untilRoomToSend();
  // What is held for the peer: calls that are not answered, what it has not read, and a message in part.  Nothing when it is cut off.
  size_t heldBytes() { return isCut ? 0 : callBytes + unreadBytes() + part.bytes(); }

  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
      kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options,
      kj::ArrayPtr<capnp::word> scratchSpace) override;
  kj::Promise<void> writeMessage(
      kj::ArrayPtr<const int> fds,
      kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override;
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override;
  kj::Maybe<int> getSendBufferSize() override { return inner.getSendBufferSize(); }
  kj::Promise<void> end() override { return inner.end(); }

  using MessageStream::tryReadMessage;
  using MessageStream::writeMessage;

  // In one turn, before the loop looks after others.
  static constexpr kj::uint TURN_MESSAGES = 16;
  static constexpr size_t TURN_BYTES = 1024 * 1024;
  // From a message to the next one that is wanted, in all.
  static constexpr kj::Duration TURN_TIME = 1 * kj::MILLISECONDS;
  // How long a peer waits for its next turn, at most, until what its last one began is done; then it comes in the order of timers.
  static constexpr kj::Duration MOST_TURN_PAUSE = 10 * kj::MILLISECONDS;
  // Capabilities that the peer gave and has not been given back.
  static constexpr kj::uint MAX_IMPORTS = rpc::MAX_GIVEN_CAPABILITIES;
  // Calls of ours that the peer leaves without a Return: each takes some KiB here for as long, also when its caller has given it
  // up.  From half of it on, streams wait.
  static constexpr kj::uint MAX_QUESTIONS = rpc::MAX_UNANSWERED_CALLS;
  static constexpr size_t MOST_WAITING_BYTES = 128 * 1024;
  // What a message takes until it is written, beside its bytes: the first segment of an answer whose size nobody foretells is 8 KiB.
  static constexpr size_t WAITING_MESSAGE_BYTES = 8 * 1024;
  // What a call takes until it is answered, beside its bytes: 8.3 KiB were measured, and 14.7 of one that waits for the answer of
  // another to be made at all.
  static constexpr size_t WAITING_CALL_BYTES = 10 * 1024;
  static constexpr size_t PIPELINED_CALL_BYTES = 16 * 1024;
  // Up to it the bytes of a call take nothing of its connection's share: what is counted beside them is more.
  static constexpr size_t SMALL_CALL_BYTES = 4 * 1024;
  // How long one is held up within a message before others have to give, and until it is cut off, so that its peer is told.
  static constexpr kj::Duration MOST_STANDSTILL = MessagePart::MOST_STANDSTILL;
  static constexpr kj::Duration MOST_WAIT = 2 * MOST_STANDSTILL;
  // How often it is looked whether there is room: twice as long after each time, within these bounds.
  static constexpr kj::Duration LEAST_QUEUE_PAUSE = 10 * kj::MILLISECONDS;
  static constexpr kj::Duration MOST_QUEUE_PAUSE = 160 * kj::MILLISECONDS;

private:
  friend class MessageBudget;

  capnp::MessageStream& inner;
  kj::Timer& timer;
  const kj::MonotonicClock& clock;
  const GuardRules rules;
  const kj::Maybe<MessageBudget&> budget;
  const kj::String holder;
  kj::ListLink<MessageGuard> link;
  kj::Function<size_t()> queueBytes = []() -> size_t { return 0; };
  uint64_t messagesReceived = 0;
  bool reading = false;
  ReadReceipts receipts;
  kj::Function<void()> sentListener = []() {};
  kj::uint turnMessages = 0;
  size_t turnBytes = 0;
  kj::Duration turnTime = 0 * kj::NANOSECONDS;
  kj::Maybe<kj::TimePoint> handedOver;  // the last message
  kj::uint returns = 0;                 // that came
  // By question of the peer's that it has not finished, how many capabilities its answer holds.
  kj::HashMap<uint32_t, kj::uint> answers;
  // By question, until its answer is written, also of one that was finished.
  struct Call {
    size_t bytes;  // of the message
    size_t held;   // with what it takes beside them
    // The peer wants none of the capabilities of the answer: its Finish came first.
    bool isReleased;
  };
  kj::HashMap<uint32_t, Call> calls;
  size_t callBytes = 0;
  size_t largeCallBytes = 0;  // of calls' own, beyond SMALL_CALL_BYTES of each
  MessagePart part;
  kj::uint unanswered = 0;  // until the last byte of the answer is written
  kj::uint exports = 0;
  size_t writingBytes = 0;  // taken from the queue, and not written yet
  kj::TimePoint writingBegan = kj::origin<kj::TimePoint>();
  bool isCut = false;
  Waiters untilCut;
  Waiters untilWrittenMore;
  // By question of ours, from its Return to our Finish: how many capabilities came with it.  From our Finish to its Return, where
  // that comes first: none of them counts.
  struct Question {
    kj::uint capabilities = 0;
    bool isCancelled = false;
  };
  kj::HashMap<uint32_t, Question> questions;
  kj::uint imports = 0;
  kj::Maybe<kj::String> firstReason;

  // Counts the time since the last message was handed over to the turn.
  void noteTurnTime();
  // Whether it is the turn of others.
  bool isTurnOver() const;
  kj::Promise<void> pause();
  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> readMessage(
      kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options,
      kj::ArrayPtr<capnp::word> scratchSpace);
  void hear(capnp::MessageReader& message);
  // A lost connection is none.
  void noteReason(const kj::Exception& exception);
  // For the next message, or for the next of the one in part.
  bool hasRoom();
  // Whether its own peer has to read, or to be answered, first.
  bool waitsForItself();
  // After each growth of what is held.
  void noteGrowth();
  bool hasRoomToSend();
  kj::Promise<void> until(kj::Function<bool()> condition);
  kj::Promise<void> holdUpPart();
  // Of what is held, bytes of messages, without what calls take beside them, nor up to SMALL_CALL_BYTES of each.
  size_t messageBytes() { return largeCallBytes + unreadBytes() + part.bytes(); }
  // Whether it holds so much, and its peer next to nothing of the message or the write that is under way moves.
  bool isStandingStill(size_t leastHeld);
  void cut(kj::StringPtr why);
  void admit(capnp::rpc::Message::Reader message, size_t bytes);
  void admitCall(capnp::rpc::Call::Reader call, size_t bytes);
  void admitFinish(capnp::rpc::Finish::Reader finish);
  void admitReturn(capnp::rpc::Return::Reader answer);
  void addImports(kj::uint count);
  // What is written at once.
  struct Writing {
    size_t bytes = 0;
    kj::uint answers = 0;
  };
  void noteSent(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments, Writing& writing);
  void admitSent(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments, Writing& writing);
  kj::Promise<void> untilWritten(kj::Promise<void> done, Writing writing);
  void noteAsked(uint32_t question);
  void noteReturn(capnp::rpc::Return::Reader answer);
  void noteFinish(capnp::rpc::Finish::Reader finish);
  void noteGiven(kj::uint count);
  void addAnswer(uint32_t question, size_t bytes, size_t held);
  static size_t largeBytes(size_t bytes) { return bytes - kj::min(bytes, SMALL_CALL_BYTES); }
  size_t unreadBytes();
};

}  // namespace bothy
