#pragma once

#include <capnp/message.h>
#include <kj/function.h>

#include "schema/user.capnp.h"

namespace bothy {

// The users of a FakeSupervisor: "alice" has a workspace without a name, which is paused, and one called "lab", which is stopped; "bob" has one that
// runs.
class FakeUsers final {
public:
  // Of the last workspace that was to be ensured.
  capnp::MallocMessageBuilder asked;
  // Set: what the next `ensure` answers.
  using Answer = kj::Function<void(rpc::Users::EnsureOutcome::Builder)>;
  kj::Maybe<Answer> answer;
  // Whether the second workspace of a user stays half-deleted.
  bool isStuck = false;
  kj::uint removals = 0;

  rpc::Users::Client users();

private:
  class Server;
};

}  // namespace bothy
