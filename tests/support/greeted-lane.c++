#include "support/greeted-lane.h"

#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"

namespace bothy {

LaneGrant wholeGrant(rpc::Purpose purpose, kj::StringPtr session) {
  using Verb = rpc::Verb;
  static uint64_t lanes = 0;
  LaneGrant grant;
  grant.lane = ++lanes;
  grant.purpose = purpose;
  grant.session = kj::str(session);
  grant.verbs = {Verb::MACHINE,    Verb::TERMINALS,   Verb::PROGRAMS,
                 Verb::READ_FILES, Verb::WRITE_FILES, Verb::CONTROL};
  return grant;
}

kj::Own<Lane> greet(kj::WaitScope& scope, kj::Timer& timer, kj::Own<kj::AsyncIoStream> stream,
                    kj::ArrayPtr<const kj::byte> secret, const LaneGrant& grant) {
  return greet(scope, timer, kj::mv(stream), secret, grant, rpc::GENERATION);
}

kj::Own<Lane> greet(kj::WaitScope& scope, kj::Timer& timer, kj::Own<kj::AsyncIoStream> stream,
                    kj::ArrayPtr<const kj::byte> secret, const LaneGrant& grant,
                    uint16_t generation) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto hello = message->initRoot<rpc::Hello>();
  hello.setGeneration(generation);
  hello.setSecret(secret);
  writeGreeting(*stream, kj::mv(message)).wait(scope);
  message = kj::heap<capnp::MallocMessageBuilder>();
  grant.writeTo(message->initRoot<rpc::Grant>());
  // Who was refused already reads no grant.
  writeGreeting(*stream, kj::mv(message)).catch_([](kj::Exception&&) {}).wait(scope);
  return kj::heap<Lane>(kj::mv(stream), timer);
}

}  // namespace bothy
