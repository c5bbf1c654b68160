#include "control/client-connection.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

// Of one message to a client.
constexpr kj::uint MAX_DESCRIPTORS = 1;

}  // namespace

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> ClientMessageStream::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd>, capnp::ReaderOptions options,
    kj::ArrayPtr<capnp::word> scratchSpace) {
  return inner.tryReadMessage(nullptr, options, scratchSpace);
}

kj::Promise<void> ClientMessageStream::writeMessage(
    kj::ArrayPtr<const int> fds, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  if (fds.size() == 0) return inner.writeMessage(nullptr, segments);
  auto copies = kj::heapArrayBuilder<SharedFd>(fds.size());
  auto numbers = kj::heapArrayBuilder<int>(fds.size());
  for (int number : fds) {
    KJ_IF_MAYBE (copy, descriptors.duplicate(number)) {
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

ClientConnection::ClientConnection(kj::Own<kj::AsyncCapabilityStream> streamParam,
                                   const DescriptorTable& descriptors,
                                   capnp::Capability::Client bootstrap)
    : stream(kj::mv(streamParam)),
      messages(*stream, descriptors),
      network(messages, MAX_DESCRIPTORS, capnp::rpc::twoparty::Side::SERVER, readerOptions()),
      system(capnp::makeRpcServer(network, kj::mv(bootstrap))) {
  system.setFlowLimit(rpc::MAX_FLOW_WORDS);
}

ClientConnection::~ClientConnection() noexcept(false) {}

}  // namespace bothy
