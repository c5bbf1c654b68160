#include "agent/guest-message-stream.h"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

namespace bothy {
namespace {

using capnp::rpc::Message;

bool hasException(Message::Reader message) {
  switch (message.which()) {
    case Message::ABORT:
      return true;
    case Message::RETURN:
      return message.getReturn().isException();
    case Message::RESOLVE:
      return message.getResolve().isException();
    default:
      return false;
  }
}

capnp::rpc::Exception::Builder exceptionOf(Message::Builder message) {
  switch (message.which()) {
    case Message::ABORT:
      return message.getAbort();
    case Message::RETURN:
      return message.getReturn().getException();
    case Message::RESOLVE:
      return message.getResolve().getException();
    default:
      KJ_UNREACHABLE;
  }
}

kj::StringPtr neutralText(capnp::rpc::Exception::Type type) {
  switch (type) {
    case capnp::rpc::Exception::Type::OVERLOADED:
      return "the workspace is at a limit of its own; try later";
    case capnp::rpc::Exception::Type::DISCONNECTED:
      return "what was asked for in the workspace is gone";
    case capnp::rpc::Exception::Type::UNIMPLEMENTED:
      return "the workspace's agent does not know this method";
    case capnp::rpc::Exception::Type::FAILED:
      break;
  }
  return "the workspace's agent could not do it";
}

// A copy without the guest's text, trace and whatever else an exception may carry one day.
kj::Own<capnp::MessageReader> scrubbed(Message::Reader message, capnp::ReaderOptions options) {
  capnp::MallocMessageBuilder builder;
  builder.setRoot(message);
  auto exception = exceptionOf(builder.getRoot<Message>());
  // A type that this build does not know counts as a failure.
  auto type = exception.getType();
  if (type > capnp::rpc::Exception::Type::UNIMPLEMENTED) {
    type = capnp::rpc::Exception::Type::FAILED;
  }
  exception.setType(type);
  exception.setReason(neutralText(type));
  exception.setTrace("");
  auto words = capnp::messageToFlatArray(builder);
  auto reader = kj::heap<capnp::FlatArrayMessageReader>(words, options);
  return reader.attach(kj::mv(words));
}

}  // namespace

GuestMessageStream::GuestMessageStream(kj::AsyncIoStream& stream) : inner(stream) {}

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> GuestMessageStream::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options,
    kj::ArrayPtr<capnp::word> scratchSpace) {
  // Also by an exception, and by being cancelled: whoever reads is the connection itself.
  bool whole = false;
  KJ_DEFER(ended = !whole);
  auto received = co_await inner.tryReadMessage(fdSpace, options, scratchSpace);
  KJ_IF_MAYBE (message, received) {
    auto root = message->reader->getRoot<Message>();
    if (hasException(root)) message->reader = scrubbed(root, options);
    whole = true;
  }
  co_return kj::mv(received);
}

kj::Promise<void> GuestMessageStream::writeMessage(
    kj::ArrayPtr<const int> fds, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  return inner.writeMessage(fds, segments);
}

kj::Promise<void> GuestMessageStream::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) {
  return inner.writeMessages(messages);
}

kj::Maybe<int> GuestMessageStream::getSendBufferSize() {
  return inner.getSendBufferSize();
}

kj::Promise<void> GuestMessageStream::end() {
  return inner.end();
}

}  // namespace bothy
