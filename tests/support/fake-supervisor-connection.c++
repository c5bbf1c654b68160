#include "support/fake-supervisor-connection.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

constexpr kj::uint MAX_DESCRIPTORS = 1;  // of one message

}  // namespace

FakeSupervisorConnection::CountedMessages::CountedMessages(kj::AsyncCapabilityStream& stream,
                                                           kj::uint budget,
                                                           kj::Function<void()> whenCut)
    : stream(stream), inner(stream), budget(budget), whenCut(kj::mv(whenCut)) {
  if (budget == 0) cut();
}

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>>
FakeSupervisorConnection::CountedMessages::tryReadMessage(kj::ArrayPtr<kj::AutoCloseFd> fdSpace,
                                                          capnp::ReaderOptions options,
                                                          kj::ArrayPtr<capnp::word> scratchSpace) {
  if (budget == 0) co_return nullptr;
  auto message = co_await inner.tryReadMessage(fdSpace, options, scratchSpace);
  if (budget == 0) co_return nullptr;
  if (message != nullptr) passed();
  co_return kj::mv(message);
}

kj::Promise<void> FakeSupervisorConnection::CountedMessages::writeMessage(
    kj::ArrayPtr<const int> fds, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  if (budget == 0) {
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the test cut this connection"));
  }
  co_await inner.writeMessage(fds, segments);
  if (budget > 0) passed();
}

kj::Promise<void> FakeSupervisorConnection::CountedMessages::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) {
  for (auto segments : messages) co_await writeMessage(nullptr, segments);
}

void FakeSupervisorConnection::CountedMessages::passed() {
  if (--budget == 0) cut();
}

void FakeSupervisorConnection::CountedMessages::cut() {
  whenCut();
  stream.shutdownWrite();
  stream.abortRead();
}

FakeSupervisorConnection::FakeSupervisorConnection(kj::Own<kj::AsyncCapabilityStream> streamParam,
                                                   capnp::Capability::Client bootstrap,
                                                   kj::uint messagesParam,
                                                   kj::Function<void()> whenCut)
    : stream(kj::mv(streamParam)),
      messages(*stream, messagesParam, kj::mv(whenCut)),
      network(messages, MAX_DESCRIPTORS, capnp::rpc::twoparty::Side::SERVER, readerOptions()),
      system(capnp::makeRpcServer(network, kj::mv(bootstrap))) {
  system.setFlowLimit(rpc::MAX_FLOW_WORDS);
}

FakeSupervisorConnection::~FakeSupervisorConnection() noexcept(false) {}

}  // namespace bothy
