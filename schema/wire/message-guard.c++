#include "wire/message-guard.h"

#include <capnp/serialize.h>
#include <kj/debug.h>

#include "wire/exception-text.h"
#include "wire/message-budget.h"
#include "wire/message-shape.h"

namespace bothy {
namespace {

using capnp::rpc::Message;

}  // namespace

MessageGuard::MessageGuard(capnp::MessageStream& inner, kj::Timer& timer, GuardRules rules,
                           kj::Maybe<MessageBudget&> budgetParam,
                           kj::Maybe<const kj::MonotonicClock&> clockParam,
                           kj::StringPtr holderParam)
    : inner(inner),
      timer(timer),
      // A timer's stands still within a turn.
      clock(clockParam.orDefault(static_cast<const kj::MonotonicClock&>(timer))),
      rules(rules),
      budget(budgetParam),
      holder(holderParam.size() > 0 ? kj::str(holderParam)
                                    : kj::str("nobody's ", static_cast<void*>(this))) {
  KJ_IF_MAYBE (shared, budget) shared->guards.add(*this);
}

MessageGuard::~MessageGuard() noexcept(false) {
  KJ_IF_MAYBE (shared, budget) shared->guards.remove(*this);
}

// No coroutine: a connection spends its life here, and the frame of one would take two KiB for as long.
kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> MessageGuard::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options,
    kj::ArrayPtr<capnp::word> scratchSpace) {
  options.traversalLimitInWords = kj::min(options.traversalLimitInWords, rules.maxMessageWords);
  noteTurnTime();
  if (!isTurnOver() && hasRoom()) return readMessage(fdSpace, options, scratchSpace);
  return pause().then([this, fdSpace, options, scratchSpace]() {
    return readMessage(fdSpace, options, scratchSpace);
  });
}

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> MessageGuard::readMessage(
    kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options,
    kj::ArrayPtr<capnp::word> scratchSpace) {
  reading = true;
  return inner.tryReadMessage(fdSpace, options, scratchSpace)
      .then(
          [this, options](kj::Maybe<capnp::MessageReaderAndFds>&& read) {
            reading = false;
            KJ_IF_MAYBE (message, read) {
              try {
                hear(*message->reader);
              } catch (const kj::Exception& e) {
                noteReason(e);
                throw;
              }
              auto root = message->reader->getRoot<Message>();
              if (hasException(root)) {
                message->reader = withNeutralText(root, options, rules.peer);
              }
            }
            return kj::mv(read);
          },
          [this](kj::Exception&& e) -> kj::Maybe<capnp::MessageReaderAndFds> {
            noteReason(e);
            kj::throwFatalException(kj::mv(e));
          });
}

void MessageGuard::noteReason(const kj::Exception& exception) {
  if (exception.getType() == kj::Exception::Type::DISCONNECTED || firstReason != nullptr) return;
  firstReason = kj::str(exception.getDescription());
}

void MessageGuard::hear(capnp::MessageReader& message) {
  ++messagesReceived;
  part = MessagePart();
  auto root = message.getRoot<Message>();
  // Known from the first getRoot() on.
  const auto bytes = message.sizeInWords() * sizeof(capnp::word);
  receipts.noteReceived(root);
  admit(root, bytes);
  ++turnMessages;
  turnBytes += bytes;
  handedOver = clock.now();
  noteGrowth();
}

bool MessageGuard::waitsForItself() {
  return unreadBytes() > rules.maxQueueBytes || unanswered > rules.maxUnanswered;
}

bool MessageGuard::hasRoom() {
  if (isCut || waitsForItself()) return false;
  KJ_IF_MAYBE (shared, budget) return shared->hasRoomFor(*this);
  return true;
}

void MessageGuard::noteGrowth() {
  if (heldBytes() < MessageBudget::LEAST_LOOK_BYTES) return;
  KJ_IF_MAYBE (shared, budget) shared->cutBeyond();
}

bool MessageGuard::hasRoomToSend() {
  return receipts.openQuestions() < MAX_QUESTIONS / 2;
}

kj::Promise<void> MessageGuard::untilRoom() {
  return until([this]() { return hasRoom(); });
}

kj::Maybe<kj::Promise<void>> MessageGuard::waitForPart(size_t bytes) {
  part.grow(bytes);
  noteGrowth();
  if (!hasRoom()) return holdUpPart();
  part.await(timer.now());
  return nullptr;
}

kj::Promise<void> MessageGuard::untilRoomForPart(size_t bytes) {
  auto held = waitForPart(bytes);
  KJ_IF_MAYBE (wait, held) return kj::mv(*wait);
  return kj::READY_NOW;
}

kj::Promise<void> MessageGuard::holdUpPart() {
  part.holdUp(timer.now());
  co_await until([this]() {
    // Who waits for itself does not wait for others yet.
    if (waitsForItself()) part.holdUp(timer.now());
    KJ_IF_MAYBE (shared, budget) {
      if (!isCut) shared->makeRoomFor(*this, part.heldUpFor(timer.now()));
    }
    return hasRoom();
  });
  part.await(timer.now());
}

bool MessageGuard::isStandingStill(size_t leastHeld) {
  const auto now = timer.now();
  if (part.isStandingStill(now) && messageBytes() >= leastHeld) return true;
  const auto time =
      MOST_STANDSTILL + writingBytes / MessagePart::LEAST_BYTES_PER_SECOND * kj::SECONDS;
  return writingBytes > 0 && unreadBytes() >= leastHeld && now - writingBegan >= time;
}

void MessageGuard::cut(kj::StringPtr why) {
  isCut = true;
  if (firstReason == nullptr) firstReason = kj::str(why);
  untilCut.wakeAll();
}

kj::Promise<void> MessageGuard::onCut() {
  if (isCut) return kj::READY_NOW;
  return untilCut.wait();
}

kj::Promise<void> MessageGuard::untilRoomToSend() {
  while (unreadBytes() >= MOST_WAITING_BYTES) {
    co_await untilWrittenMore.wait();
  }
  co_await until([this]() { return hasRoomToSend(); });
}

kj::Promise<void> MessageGuard::until(kj::Function<bool()> condition) {
  for (auto wait = LEAST_QUEUE_PAUSE; !condition(); wait = kj::min(2 * wait, MOST_QUEUE_PAUSE)) {
    co_await timer.afterDelay(wait);
  }
}

void MessageGuard::noteTurnTime() {
  KJ_IF_MAYBE (since, handedOver) {
    turnTime += clock.now() - *since;
    handedOver = nullptr;
  }
}

bool MessageGuard::isTurnOver() const {
  return turnMessages >= TURN_MESSAGES || turnBytes >= TURN_BYTES || turnTime >= TURN_TIME;
}

// A timer that is due comes after what others sent meanwhile; and a loop that looks for that while it is busy would give the peer turn
// after turn before what its last one began is done, for which all others wait.  But evalLast() is last in, first out: where peers that
// never pause keep the loop busy, the end of what it does may never come.
kj::Promise<void> MessageGuard::pause() {
  if (!hasRoom()) co_await untilRoom();
  if (!isTurnOver()) co_return;
  turnMessages = 0;
  turnBytes = 0;
  turnTime = 0 * kj::NANOSECONDS;
  co_await kj::evalLast([]() {}).exclusiveJoin(timer.afterDelay(MOST_TURN_PAUSE));
  co_await timer.afterDelay(0 * kj::NANOSECONDS);
}

size_t MessageGuard::unreadBytes() {
  return queueBytes() + writingBytes;
}

void MessageGuard::admit(Message::Reader message, size_t bytes) {
  requireShape(message, rules.peer);
  switch (message.which()) {
    case Message::BOOTSTRAP:
      addAnswer(message.getBootstrap().getQuestionId(), bytes, WAITING_CALL_BYTES);
      break;
    case Message::CALL:
      admitCall(message.getCall(), bytes);
      break;
    case Message::FINISH:
      admitFinish(message.getFinish());
      break;
    case Message::RELEASE:
      exports -= kj::min(exports, message.getRelease().getReferenceCount());
      break;
    case Message::RETURN:
      admitReturn(message.getReturn());
      break;
    case Message::RESOLVE:
      if (message.getResolve().isCap() && isGiven(message.getResolve().getCap())) addImports(1);
      break;
    default:
      break;
  }
}

void MessageGuard::admitCall(capnp::rpc::Call::Reader call, size_t bytes) {
  addImports(capabilitiesOf(call.getParams()));
  const auto target = call.getTarget();
  const bool isPipelined = target.isPromisedAnswer() &&
                           calls.find(target.getPromisedAnswer().getQuestionId()) != nullptr;
  addAnswer(call.getQuestionId(), bytes, isPipelined ? PIPELINED_CALL_BYTES : WAITING_CALL_BYTES);
}

// It may have been sent before the answer came that is written only now.
void MessageGuard::admitFinish(capnp::rpc::Finish::Reader finish) {
  const auto question = finish.getQuestionId();
  KJ_IF_MAYBE (capabilities, answers.find(question)) {
    if (finish.getReleaseResultCaps()) exports -= kj::min(exports, *capabilities);
    answers.erase(question);
  }
  KJ_IF_MAYBE (call, calls.find(question)) call->isReleased = finish.getReleaseResultCaps();
}

void MessageGuard::admitReturn(capnp::rpc::Return::Reader answer) {
  const bool isFirst = returns++ == 0;
  kj::uint given = 0;
  if (answer.isResults()) {
    auto results = answer.getResults();
    KJ_REQUIRE(rules.peer != GuardRules::Peer::ONLY_ANSWERS || isFirst ||
                   results.getCapTable().size() == 0,
               "the peer may not answer with a capability");
    given = capabilitiesOf(results);
  }
  KJ_IF_MAYBE (question, questions.find(answer.getAnswerId())) {
    if (question->isCancelled) given = 0;
    questions.erase(answer.getAnswerId());
  }
  if (given == 0) return;
  addImports(given);
  questions.upsert(answer.getAnswerId(), Question{given, false});
}

void MessageGuard::addImports(kj::uint count) {
  imports += count;
  KJ_REQUIRE(count == 0 || imports <= MAX_IMPORTS, "the peer gives too many capabilities");
}

void MessageGuard::addAnswer(uint32_t question, size_t bytes, size_t held) {
  KJ_REQUIRE(answers.size() < rules.maxAnswers && unanswered < rules.maxAnswers,
             "the peer leaves too many answers unfinished");
  // The RPC system lets go of a number when its answer is queued.  A peer cannot know of that before it is written.
  KJ_REQUIRE(answers.find(question) == nullptr && calls.find(question) == nullptr,
             "the peer gives two questions the same number");
  answers.insert(question, 0);
  calls.insert(question, Call{bytes, bytes + held, false});
  callBytes += bytes + held;
  largeCallBytes += largeBytes(bytes);
  ++unanswered;
}

kj::Promise<void> MessageGuard::writeMessage(
    kj::ArrayPtr<const int> fds, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  Writing writing;
  noteSent(segments, writing);
  return untilWritten(inner.writeMessage(fds, segments), writing);
}

kj::Promise<void> MessageGuard::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) {
  Writing writing;
  for (auto& segments : messages) noteSent(segments, writing);
  return untilWritten(inner.writeMessages(messages), writing);
}

kj::Promise<void> MessageGuard::untilWritten(kj::Promise<void> done, Writing writing) {
  writingBytes += writing.bytes;
  writingBegan = timer.now();
  noteGrowth();
  return done.then([this, writing]() {
    writingBytes -= writing.bytes;
    unanswered -= kj::min(unanswered, writing.answers);
    untilWrittenMore.wakeAll();
  });
}

void MessageGuard::noteSent(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments,
                            Writing& writing) {
  try {
    admitSent(segments, writing);
  } catch (const kj::Exception& e) {
    noteReason(e);
    throw;
  }
}

void MessageGuard::admitSent(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments,
                             Writing& writing) {
  writing.bytes += WAITING_MESSAGE_BYTES;
  for (auto segment : segments) writing.bytes += segment.size() * sizeof(capnp::word);
  // Ours: it needs no limits.
  capnp::ReaderOptions options;
  options.traversalLimitInWords = kj::maxValue;
  capnp::SegmentArrayMessageReader reader(segments, options);
  auto message = reader.getRoot<Message>();
  receipts.noteSent(message);
  sentListener();
  KJ_REQUIRE(receipts.openQuestions() <= MAX_QUESTIONS,
             "the peer leaves too many calls unanswered");
  switch (message.which()) {
    case Message::RETURN:
      ++writing.answers;
      noteReturn(message.getReturn());
      break;
    case Message::BOOTSTRAP:
      noteAsked(message.getBootstrap().getQuestionId());
      break;
    case Message::CALL:
      noteAsked(message.getCall().getQuestionId());
      noteGiven(capabilitiesOf(message.getCall().getParams()));
      break;
    case Message::FINISH:
      noteFinish(message.getFinish());
      break;
    case Message::RELEASE:
      imports -= kj::min(imports, message.getRelease().getReferenceCount());
      break;
    default:
      break;
  }
}

// The number may be that of an earlier question, whose Finish was written after its answer had come.
void MessageGuard::noteAsked(uint32_t question) {
  questions.erase(question);
}

void MessageGuard::noteReturn(capnp::rpc::Return::Reader answer) {
  bool isReleased = false;
  KJ_IF_MAYBE (call, calls.find(answer.getAnswerId())) {
    callBytes -= call->held;
    largeCallBytes -= largeBytes(call->bytes);
    isReleased = call->isReleased;
    calls.erase(answer.getAnswerId());
  }
  // No Finish will come, and the RPC system has forgotten it.
  if (answer.getNoFinishNeeded()) answers.erase(answer.getAnswerId());
  if (!answer.isResults() || isReleased) return;
  const auto given = capabilitiesOf(answer.getResults());
  KJ_IF_MAYBE (capabilities, answers.find(answer.getAnswerId())) {
    *capabilities += given;
  }
  noteGiven(given);
}

void MessageGuard::noteGiven(kj::uint count) {
  exports += count;
  KJ_REQUIRE(count == 0 || exports <= rules.maxExports, "the peer keeps too many capabilities");
}

// One that leaves the capabilities to the peer says that it did not wait for them.  It may have been queued when they came.
void MessageGuard::noteFinish(capnp::rpc::Finish::Reader finish) {
  const bool leaves = finish.getReleaseResultCaps();
  KJ_IF_MAYBE (question, questions.find(finish.getQuestionId())) {
    if (leaves) imports -= kj::min(imports, question->capabilities);
    questions.erase(finish.getQuestionId());
  } else if (leaves) {
    questions.upsert(finish.getQuestionId(), Question{0, true});
  }
}

}  // namespace bothy
