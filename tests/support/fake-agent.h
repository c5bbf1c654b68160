#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "lane/lane-grant.h"
#include "wire/rpc-connection.h"

namespace bothy {

// The agent's end of lanes, in this process: greets as an agent does, and serves what the test says.
class FakeAgent final: private kj::TaskSet::ErrorHandler {
public:
  // What a lane of such a grant begins with.
  using Bootstrap = kj::Function<capnp::Capability::Client(const LaneGrant&)>;
  explicit FakeAgent(Bootstrap bootstrap);
  ~FakeAgent() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FakeAgent);

  // Set: what the Hello has to know.
  kj::Maybe<kj::Array<kj::byte>> secret;
  uint16_t generation;
  // Whether a Welcome tells the generation, or that the other's is too old.
  bool refusesGeneration = false;

  kj::uint hellos = 0;
  kj::Vector<LaneGrant> grants;

  // A connection that says Hello and Grant.
  void accept(kj::Own<kj::AsyncIoStream> stream);
  // One for which they were said.
  void welcome(kj::Own<kj::AsyncIoStream> stream, capnp::Capability::Client capability);
  // Ends all connections.
  void breakConnections();
  // Sends on all connections what no agent may: it asks for its peer's bootstrap capability.
  void breakRule();

private:
  Bootstrap bootstrap;
  kj::TaskSet connections;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> ruleBreakers;  // one of each connection

  kj::Promise<void> greet(kj::Own<kj::AsyncIoStream> stream);
  kj::Promise<void> serve(kj::Own<kj::AsyncIoStream> stream, capnp::Capability::Client capability);
  kj::Promise<void> refuse(kj::AsyncIoStream& stream, rpc::Refusal why);
  void taskFailed(kj::Exception&& exception) override {}
};

}  // namespace bothy
