#include "control/client-connection.h"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

// Until a message that is not taken counts as one that nobody reads.
constexpr kj::Duration PATIENCE = 500 * kj::MILLISECONDS;

// A client that writes messages of its own making.
struct RawClient: public Fixture {
  kj::Own<kj::AsyncCapabilityStream> raw;
  kj::Own<ClientConnection> connection;

  RawClient() {
    auto pipe = io.provider->newCapabilityPipe();
    raw = kj::mv(pipe.ends[1]);
    connection =
        kj::heap<ClientConnection>(kj::mv(pipe.ends[0]), lanes.descriptors,
                                   kj::heap<SupervisorFacet>(rooms(), ClientIdentity{2, 0, 0, 0}),
                                   io.provider->getTimer(), budget);
    CHECK(isTaken([](auto message) { message.initBootstrap().setQuestionId(0); }));
  }

  template <typename Fill>
  bool isTaken(Fill&& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<capnp::rpc::Message>());
    return capnp::writeMessage(*raw, message)
        .then([]() { return true; })
        .exclusiveJoin(io.provider->getTimer().afterDelay(PATIENCE).then([]() { return false; }))
        .wait(scope);
  }

  bool isListTaken(uint32_t question) {
    return isTaken([&](auto message) {
             auto call = message.initCall();
             call.setQuestionId(question);
             call.initTarget().initPromisedAnswer().setQuestionId(0);
             call.setInterfaceId(capnp::typeId<rpc::Supervisor>());
             call.setMethodId(2);
             call.getParams().getContent().template initAs<rpc::Supervisor::ListParams>();
           }) &&
           isTaken([&](auto message) {
             auto finish = message.initFinish();
             finish.setQuestionId(question);
             finish.setReleaseResultCaps(true);
           });
  }
};

TEST_CASE("S01 a client that reads no answers is not read any more, and keeps its connection") {
  RawClient client;
  constexpr uint32_t MANY = 20000;
  uint32_t taken = 0;
  while (taken < MANY && client.isListTaken(taken + 1)) ++taken;
  CHECK(taken > 0);
  CHECK(taken < MANY);
  CHECK_FALSE(client.connection->onDisconnect().poll(client.scope));
  // Others are served.
  client.supervisor().listRequest().send().wait(client.scope);
}

TEST_CASE("S01 a client that sends a message of an unknown kind loses its connection") {
  RawClient client;
  CHECK(client.isTaken([](auto message) { message.initJoin(); }));
  CHECK(client.connection->onDisconnect()
            .then([]() { return true; })
            .exclusiveJoin(client.io.provider->getTimer().afterDelay(10 * kj::SECONDS).then([]() {
              return false;
            }))
            .wait(client.scope));
}

}  // namespace
}  // namespace bothy
