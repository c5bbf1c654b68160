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

// How long a message of a client's may be on its way, from the first byte to the last.
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

private:
  DescriptorFilter& stream;
  capnp::AsyncCapabilityMessageStream inner;
  const DescriptorTable& descriptors;
  kj::Timer& timer;
  kj::Maybe<kj::Promise<void>> deadline;  // of the message that has begun to come

  void noteRead();
  kj::Maybe<SharedFd> copyOf(int number);
};

// What all clients together may make bothyd hold of their calls, of answers and of messages in part, and what each may whatever the others hold, in bytes.
constexpr size_t CLIENTS_BYTES = 64 * 1024 * 1024;
constexpr size_t CLIENT_SHARE_BYTES = 512 * 1024;

// A client's RPC connection behind a MessageGuard, within the limits of limits.capnp.  Dropping it closes it.
class ClientConnection final {
public:
  // `descriptors`, `timer`, `budget` and `clock` (see MessageGuard), all clients', outlive it.
  ClientConnection(kj::Own<DescriptorFilter> stream, const DescriptorTable& descriptors,
                   capnp::Capability::Client bootstrap, kj::Timer& timer, MessageBudget& budget,
                   kj::Maybe<const kj::MonotonicClock&> clock = nullptr);
  ~ClientConnection() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ClientConnection);

  // Resolves when the connection has ended; never fails.
  kj::Promise<void> onDisconnect() { return network.onDisconnect(); }

private:
  kj::Own<DescriptorFilter> stream;
  ClientMessageStream messages;
  MessageGuard guard;
  RpcNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
};

}  // namespace bothy
