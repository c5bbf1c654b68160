#include "support/fake-agent.h"

#include <kj/debug.h>

#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"

namespace bothy {

FakeAgent::FakeAgent(Bootstrap bootstrap)
    : generation(rpc::GENERATION), bootstrap(kj::mv(bootstrap)), connections(*this) {}

FakeAgent::~FakeAgent() noexcept(false) {}

void FakeAgent::accept(kj::Own<kj::AsyncIoStream> stream) {
  connections.add(greet(kj::mv(stream)));
}

void FakeAgent::welcome(kj::Own<kj::AsyncIoStream> stream, capnp::Capability::Client capability) {
  connections.add(serve(kj::mv(stream), kj::mv(capability)));
}

void FakeAgent::breakConnections() {
  connections.clear();
}

void FakeAgent::breakRule() {
  for (auto& breaker : ruleBreakers) breaker->fulfill();
  ruleBreakers.clear();
}

kj::Promise<void> FakeAgent::greet(kj::Own<kj::AsyncIoStream> stream) {
  auto message = co_await readGreeting(*stream);
  ++hellos;
  auto hello = message->getRoot<rpc::Hello>();
  KJ_IF_MAYBE (expected, secret) {
    if (hello.getSecret() != expected->asPtr()) {
      co_await refuse(*stream, rpc::Refusal::WRONG_SECRET);
      co_return;
    }
  }
  if (refusesGeneration) {
    co_await refuse(*stream, rpc::Refusal::GENERATION_TOO_OLD);
    co_return;
  }
  message = co_await readGreeting(*stream);
  auto grant = LaneGrant::parse(message->getRoot<rpc::Grant>());
  if (grant.is<rpc::Refusal>()) {
    co_await refuse(*stream, grant.get<rpc::Refusal>());
    co_return;
  }
  auto capability = bootstrap(grant.get<LaneGrant>());
  grants.add(kj::mv(grant.get<LaneGrant>()));
  co_await serve(kj::mv(stream), kj::mv(capability));
}

kj::Promise<void> FakeAgent::serve(kj::Own<kj::AsyncIoStream> stream,
                                   capnp::Capability::Client capability) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  message->initRoot<rpc::Welcome>().setGeneration(generation);
  co_await writeGreeting(*stream, kj::mv(message));
  RpcConnection connection(kj::mv(stream), kj::mv(capability));
  auto paf = kj::newPromiseAndFulfiller<void>();
  ruleBreakers.add(kj::mv(paf.fulfiller));
  kj::Maybe<capnp::Capability::Client> unasked;
  auto breaking =
      paf.promise.then([&]() { unasked = connection.bootstrap(); }).eagerlyEvaluate(nullptr);
  co_await connection.onDisconnect();
}

kj::Promise<void> FakeAgent::refuse(kj::AsyncIoStream& stream, rpc::Refusal why) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto welcome = message->initRoot<rpc::Welcome>();
  welcome.setRefused(why);
  welcome.setOldest(generation);
  return writeGreeting(stream, kj::mv(message));
}

}  // namespace bothy
