#pragma once

#include <capnp/serialize-async.h>
#include <kj/function.h>
#include <kj/one-of.h>

#include "schema/lane.capnp.h"

namespace bothy {

// What an agent said to a Grant.
struct LaneRefused {
  rpc::Refusal why;
  uint16_t oldestGeneration;
};
using LaneAnswer =
    kj::OneOf<uint16_t, LaneRefused>;  // the generation that both speak, or a refusal

// What comes from an agent on a lane: its Welcome, then RPC messages, in which the text of every exception is replaced by
// one of ours that keeps its type: what a workspace's user writes reaches no client as an error of the supervisor.
// Everything else passes untouched and uncopied, so bulk data costs nothing here.
class AgentMessageStream final: public capnp::MessageStream {
public:
  // `stream` must outlive this object.  `answer` is given the Welcome, or why there is none.
  AgentMessageStream(kj::AsyncIoStream& stream, kj::Own<kj::PromiseFulfiller<LaneAnswer>> answer);

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
  // The Welcome was a refusal.
  bool wasRefused() const { return refused; }

  using MessageStream::tryReadMessage;
  using MessageStream::writeMessage;

private:
  kj::AsyncIoStream& stream;
  capnp::BufferedMessageStream inner;
  kj::Own<kj::PromiseFulfiller<LaneAnswer>> answer;
  bool isGreeted = false;
  bool refused = false;
  bool ended = false;
  // Whether RPC follows.  Read for its own sake: an agent that refuses a lane closes it, and the RPC system stops reading when what it
  // writes then fails.
  kj::ForkedPromise<bool> welcome;

  kj::Promise<bool> readWelcome();
  // `write`, whose failure waits for the Welcome.
  kj::Promise<void> afterWelcome(kj::Function<kj::Promise<void>()> write);
};

}  // namespace bothy
