#include "control/client-connection.h"

#include <kj/debug.h>

#include "control/event-watches.h"
#include "control/lane-keeper.h"
#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

// Of one message to a client.
constexpr kj::uint MAX_DESCRIPTORS = 1;

// A client that reads nothing is not read either, with so much on its way to it.
constexpr size_t CLIENT_QUEUE_BYTES = 8 * 1024 * 1024;
// Calls whose answers a client waits for or keeps: twice those that fill the queue, where an answer counts 8 KiB at least, for who fills it
// is not read, and keeps its connection.
constexpr kj::uint CLIENT_ANSWERS = 2048;
// Lanes, watches and bootstraps.
constexpr kj::uint CLIENT_EXPORTS = 4 * 1024;
constexpr GuardRules CLIENT_RULES = {GuardRules::Peer::ASKS, rpc::MAX_MESSAGE_WORDS,
                                     CLIENT_QUEUE_BYTES, CLIENT_ANSWERS, CLIENT_EXPORTS};

static_assert(CLIENT_SHARE_CALLS > MAX_HELD_LANES + MAX_HELD_WATCHES);

}  // namespace

ClientMessageStream::ClientMessageStream(DescriptorFilter& stream,
                                         const DescriptorTable& descriptors, kj::Timer& timer)
    : stream(stream), inner(stream), descriptors(descriptors), timer(timer) {
  stream.notifyRead([this]() { noteRead(); });
}

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> ClientMessageStream::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd>, capnp::ReaderOptions options,
    kj::ArrayPtr<capnp::word> scratchSpace) {
  return inner.tryReadMessage(nullptr, options, scratchSpace)
      .then([this](kj::Maybe<capnp::MessageReaderAndFds>&& message) {
        deadline = nullptr;
        return kj::mv(message);
      });
}

void ClientMessageStream::noteRead() {
  if (deadline == nullptr) expect(MESSAGE_LIMIT);
}

void ClientMessageStream::expect(kj::Duration left) {
  due = timer.now() + left;
  deadline = timer.afterDelay(left)
                 .then([this]() {
                   stream.failReads(KJ_EXCEPTION(
                       FAILED, kj::str("a message did not come whole within ", MESSAGE_LIMIT)));
                 })
                 .eagerlyEvaluate(nullptr);
}

kj::Promise<void> ClientMessageStream::holdUp(kj::Promise<void> room) {
  const auto left = due - timer.now();
  deadline = nullptr;
  co_await room;
  expect(left);
}

kj::Promise<void> ClientMessageStream::writeMessage(
    kj::ArrayPtr<const int> fds, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  if (fds.size() == 0) return inner.writeMessage(nullptr, segments);
  auto copies = kj::heapArrayBuilder<SharedFd>(fds.size());
  auto numbers = kj::heapArrayBuilder<int>(fds.size());
  for (int number : fds) {
    KJ_IF_MAYBE (copy, copyOf(number)) {
      numbers.add(copy->get());
      copies.add(kj::mv(*copy));
    } else {
      return inner.writeMessage(nullptr, segments);
    }
  }
  auto sent = numbers.finish();
  auto writing = inner.writeMessage(sent, segments);
  return writing.attach(kj::mv(sent), copies.finish());
}

kj::Maybe<SharedFd> ClientMessageStream::copyOf(int number) {
  try {
    return descriptors.duplicate(number);
  } catch (const kj::Exception& e) {
    if (e.getType() != kj::Exception::Type::OVERLOADED) throw;
    KJ_LOG(WARNING, "a client gets an answer without its descriptor", e.getDescription());
    return nullptr;
  }
}

ClientConnection::ClientConnection(kj::Own<DescriptorFilter> streamParam,
                                   const DescriptorTable& descriptors,
                                   capnp::Capability::Client bootstrap, kj::Timer& timer,
                                   MessageBudget& budget,
                                   kj::Maybe<const kj::MonotonicClock&> clock, kj::StringPtr holder)
    : timer(timer),
      stream(kj::mv(streamParam)),
      messages(*stream, descriptors, timer),
      guard(messages, timer, CLIENT_RULES, budget, clock, holder),
      network(guard, MAX_DESCRIPTORS, capnp::rpc::twoparty::Side::SERVER, readerOptions()),
      system(capnp::makeRpcServer(network, kj::mv(bootstrap))) {
  system.setFlowLimit(rpc::MAX_FLOW_WORDS);
  stream->slowReads([this](size_t have) { return messages.holdUp(guard.untilRoomForPart(have)); });
}

ClientConnection::~ClientConnection() noexcept(false) {}

// Nobody reads of a client that waits for room, and so nobody learns that it has gone: its end, and what would make room.
kj::Promise<void> ClientConnection::onDisconnect() {
  auto gone = stream->whenWriteDisconnected()
                  .then([this]() { return timer.afterDelay(CLOSED_LINGER); })
                  .catch_([](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; });
  return network.onDisconnect().exclusiveJoin(guard.onCut()).exclusiveJoin(kj::mv(gone));
}

}  // namespace bothy
