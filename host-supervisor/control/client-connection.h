#pragma once

#include <capnp/serialize-async.h>
#include <kj/async-io.h>
#include <kj/timer.h>
#include <sys/types.h>

#include "control/descriptor-table.h"
#include "loop/descriptor-filter.h"
#include "wire/message-budget.h"
#include "wire/message-guard.h"
#include "wire/rpc-network.h"

namespace bothy {

// How long a message of a client's may be on its way, from the first byte to the last, but for the time in which nothing is read of it.
constexpr kj::Duration MESSAGE_LIMIT = 30 * kj::SECONDS;

// Messages from and to a client, with the descriptors of a table: none is taken from the client.  A message that is not whole in time ends
// what is read.
class ClientMessageStream final: public capnp::MessageStream {
public:
  // All of them outlive it.
  ClientMessageStream(DescriptorFilter& stream, const DescriptorTable& descriptors,
                      kj::Timer& timer);

  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
      kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options,
      kj::ArrayPtr<capnp::word> scratchSpace) override;
  // `fds` are numbers of the table.  Where one of them means nothing any more, or no file is left for a copy, the message goes without
  // any: whoever wants one asks again.
  kj::Promise<void> writeMessage(
      kj::ArrayPtr<const int> fds,
      kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override;
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override {
    return inner.writeMessages(messages);
  }
  kj::Maybe<int> getSendBufferSize() override { return inner.getSendBufferSize(); }
  kj::Promise<void> end() override { return inner.end(); }

  using MessageStream::tryReadMessage;
  using MessageStream::writeMessage;

  // `room` is what the rest of a message waits for before it is read.
  kj::Promise<void> holdUp(kj::Promise<void> room);

private:
  DescriptorFilter& stream;
  capnp::AsyncCapabilityMessageStream inner;
  const DescriptorTable& descriptors;
  kj::Timer& timer;
  // Of the message that has begun to come.
  kj::Maybe<kj::Promise<void>> deadline;
  kj::TimePoint due = kj::origin<kj::TimePoint>();

  void noteRead();
  void expect(kj::Duration left);
  kj::Maybe<SharedFd> copyOf(int number);
};

// What clients may make bothyd hold of their calls, of answers and of messages in part, see MessageBudget.  All of them, and those of
// one user.
constexpr size_t CLIENTS_BYTES = 64 * 1024 * 1024;
constexpr size_t CLIENTS_USER_BYTES = CLIENTS_BYTES / 4;
// Each, whatever the others hold: a message as clients send them, and the calls that wait for as long as what the client holds lasts, of
// each lane and each watch, with some that come to an end by themselves.
constexpr size_t CLIENT_SHARE_BYTES = 512 * 1024;
static_assert(CLIENT_SHARE_BYTES >= 2 * DescriptorFilter::MAX_PIECE_BYTES);
constexpr kj::uint CLIENT_SHARE_CALLS = 192;
// All with their shares.  How many clients there are is no matter: beyond it the user ends who has most.
constexpr size_t CLIENTS_MOST_BYTES = CLIENTS_BYTES / 2 * 3;

constexpr MessageBudget::Limits CLIENTS_LIMITS = {.maxBytes = CLIENTS_BYTES,
                                                  .maxHolderBytes = CLIENTS_USER_BYTES,
                                                  .littleBytes = CLIENTS_USER_BYTES / 4,
                                                  .shareBytes = CLIENT_SHARE_BYTES,
                                                  .shareCalls = CLIENT_SHARE_CALLS,
                                                  .mostBytes = CLIENTS_MOST_BYTES};

// A client's RPC connection behind a MessageGuard, within the limits of limits.capnp.  Dropping it closes it.
class ClientConnection final {
public:
  // `descriptors`, `timer`, `budget` and `clock`, all clients', outlive it; `holder` is whose it is: see MessageGuard.
  ClientConnection(kj::Own<DescriptorFilter> stream, const DescriptorTable& descriptors,
                   capnp::Capability::Client bootstrap, kj::Timer& timer, MessageBudget& budget,
                   kj::Maybe<const kj::MonotonicClock&> clock = nullptr,
                   kj::StringPtr holder = nullptr);
  ~ClientConnection() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ClientConnection);

  // Resolves when the connection has ended, or is to be dropped for what it holds; never fails.
  kj::Promise<void> onDisconnect();
  // After its client has closed it: what that sent last is read first, if there is room for it.
  static constexpr kj::Duration CLOSED_LINGER = 10 * kj::SECONDS;
  // Why it is to be dropped.
  kj::Maybe<kj::StringPtr> whyCut() const {
    if (!guard.hasBeenCut()) return nullptr;
    return guard.whyEnded();
  }

private:
  kj::Timer& timer;
  kj::Own<DescriptorFilter> stream;
  ClientMessageStream messages;
  MessageGuard guard;
  RpcNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
};

}  // namespace bothy
