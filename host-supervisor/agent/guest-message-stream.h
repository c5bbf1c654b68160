#pragma once

#include <capnp/serialize-async.h>

namespace bothy {

// RPC messages from a guest, in which the text of every exception is replaced by one of ours that keeps
// its type: what a workspace's user writes reaches no client as an error of the supervisor.  Everything
// else passes untouched and uncopied, so bulk data costs nothing here.
class GuestMessageStream final: public capnp::MessageStream {
public:
  // `stream` must outlive this object.
  explicit GuestMessageStream(kj::AsyncIoStream& stream);

  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
      kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options,
      kj::ArrayPtr<capnp::word> scratchSpace) override;
  kj::Promise<void> writeMessage(
      kj::ArrayPtr<const int> fds,
      kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override;
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override;
  kj::Maybe<int> getSendBufferSize() override;
  kj::Promise<void> end() override;

  // The guest's side was closed, or broke.
  bool hasEnded() const { return ended; }

  using MessageStream::tryReadMessage;
  using MessageStream::writeMessage;

private:
  capnp::AsyncIoMessageStream inner;
  bool ended = false;
};

}  // namespace bothy
