#include "lane/lane-greeting.h"

#include <capnp/serialize-async.h>

#include "schema/limits.capnp.h"

namespace bothy {

kj::Promise<void> writeHello(kj::AsyncOutputStream& stream, kj::ArrayPtr<const kj::byte> secret) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto hello = message->initRoot<rpc::Hello>();
  hello.setGeneration(rpc::GENERATION);
  hello.setSecret(secret);
  return writeGreeting(stream, kj::mv(message));
}

kj::Promise<void> writeGreeting(kj::AsyncOutputStream& stream,
                                kj::Own<capnp::MallocMessageBuilder> message) {
  auto writing = capnp::writeMessage(stream, *message);
  return writing.attach(kj::mv(message));
}

kj::Promise<kj::Own<capnp::MessageReader>> readGreeting(kj::AsyncInputStream& stream) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = rpc::MAX_GREETING_WORDS;
  options.nestingLimit = rpc::MAX_NESTING;
  return capnp::readMessage(stream, options);
}

}  // namespace bothy
