#pragma once

#include <capnp/serialize-async.h>
#include <kj/async-io.h>
#include <kj/function.h>

#include "wire/rpc-network.h"

namespace bothy {

// A client's connection at the end of a fake supervisor: carries descriptors, and breaks after so many messages, whatever
// their direction, as where the process at this end is killed just then.  Dropping it closes it.
class FakeSupervisorConnection final {
public:
  static constexpr kj::uint NEVER = UINT32_MAX;

  // `whenCut` is called when it breaks by itself.
  FakeSupervisorConnection(kj::Own<kj::AsyncCapabilityStream> stream,
                           capnp::Capability::Client bootstrap, kj::uint messages,
                           kj::Function<void()> whenCut);
  ~FakeSupervisorConnection() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FakeSupervisorConnection);

private:
  class CountedMessages final: public capnp::MessageStream {
  public:
    CountedMessages(kj::AsyncCapabilityStream& stream, kj::uint budget,
                    kj::Function<void()> whenCut);

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

  private:
    kj::AsyncCapabilityStream& stream;
    capnp::AsyncCapabilityMessageStream inner;
    kj::uint budget;
    kj::Function<void()> whenCut;

    void passed();
    void cut();
  };

  kj::Own<kj::AsyncCapabilityStream> stream;
  CountedMessages messages;
  RpcNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
};

}  // namespace bothy
