#include "control/wanted-lane.h"

#include <capnp/message.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"
#include "control/uid-owners.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr VerbGeneration NEWER[] = {{rpc::Verb::PROGRAMS, rpc::GENERATION + 1},
                                    {rpc::Verb::WRITE_FILES, rpc::GENERATION + 2}};

TEST_CASE("S25 a grant is as new as the newest right in it") {
  LaneGrant grant;
  CHECK(oldestGenerationFor(grant, NEWER) == rpc::OLDEST_GENERATION);
  grant.verbs = {rpc::Verb::MACHINE, rpc::Verb::TERMINALS};
  CHECK(oldestGenerationFor(grant, NEWER) == rpc::OLDEST_GENERATION);
  grant.verbs.add(rpc::Verb::WRITE_FILES);
  CHECK(oldestGenerationFor(grant, NEWER) == rpc::GENERATION + 2);
  grant.verbs.add(rpc::Verb::PROGRAMS);
  CHECK(oldestGenerationFor(grant, NEWER) == rpc::GENERATION + 2);
  CHECK(oldestGenerationFor(grant, nullptr) == rpc::OLDEST_GENERATION);
}

TEST_CASE("S25 files beneath a directory are granted with that directory, to agents that know it") {
  capnp::MallocMessageBuilder message;
  auto wanted = message.initRoot<rpc::LaneRequest>();
  auto grantOfWanted = [&]() {
    return grantFor(wanted.asReader(), "start", ClientIdentity{1, 1, 0, 0, 0});
  };
  auto beneath = wanted.initFilesBeneath();
  beneath.setUser("somebody");
  beneath.setAccess(rpc::FileAccess::READ);
  CHECK(grantOfWanted().is<kj::StringPtr>());
  beneath.setDirectory("/srv"_kj.asBytes());
  auto granted = grantOfWanted();
  auto& grant = granted.get<LaneGrant>();
  CHECK(grant.purpose == rpc::Purpose::FILES);
  CHECK(grant.user == "somebody");
  CHECK(grant.beneath == "/srv"_kj.asBytes());
  CHECK(grant.verbs.has(rpc::Verb::READ_BENEATH));
  CHECK_FALSE(grant.verbs.has(rpc::Verb::WRITE_BENEATH));
  CHECK_FALSE(grant.verbs.has(rpc::Verb::READ_FILES));
  CHECK(oldestGenerationFor(grant, verbsSinceTheOldest()) == rpc::LANES_BENEATH);
  beneath.setAccess(rpc::FileAccess::WRITE);
  CHECK(grantOfWanted().get<LaneGrant>().verbs.has(rpc::Verb::WRITE_BENEATH));
  auto path = kj::heapArray<kj::byte>(rpc::MAX_BENEATH_BYTES + 1);
  memset(path.begin(), 'x', path.size());
  beneath.setDirectory(path);
  CHECK(grantOfWanted().is<kj::StringPtr>());
}

LaneGrant grantOf(uid_t uid, kj::Maybe<uid_t> owner = nullptr) {
  capnp::MallocMessageBuilder message;
  auto wanted = message.initRoot<rpc::LaneRequest>();
  wanted.setCommands();
  auto grant =
      grantFor(wanted.asReader(), "start", ClientIdentity{1, 1, uid, uid, owner.orDefault(uid)});
  return kj::mv(grant.get<LaneGrant>());
}

TEST_CASE("S02 a lane is counted for its user, and only root may have every lane of a machine") {
  CHECK(grantOf(1001).actor == "uid 1001");
  CHECK_FALSE(grantOf(1001).allLanes);
  CHECK(grantOf(0).allLanes);
  CHECK(grantOf(100000, 1001).actor == "uid 1001");
  CHECK(grantOf(100000, UIDS_OF_ROOT).actor == "a uid of root's");
  CHECK_FALSE(grantOf(100000, UIDS_OF_ROOT).allLanes);
  CHECK(grantOf(100000, UIDS_UNKNOWN).actor == "an unknown uid");
  CHECK_FALSE(grantOf(100000, UIDS_UNKNOWN).allLanes);
}

TEST_CASE("S25 a lane that the machine's agent is too old for is refused, and none is opened") {
  Fixture f;
  f.newerVerbs = NEWER;
  f.serve();
  f.create("demo").wait(f.scope);
  auto lanesBeside = [&]() {
    kj::uint count = 0;
    for (auto& agent : f.served) {
      for (auto& grant : agent->grants) count += grant.purpose != rpc::Purpose::CONTROL;
    }
    return count;
  };
  auto refused = f.connect("demo").wait(f.scope);
  REQUIRE(refused.getOutcome().isAgentTooOld());
  CHECK(refused.getOutcome().getAgentTooOld() == rpc::GENERATION);
  CHECK_FALSE(refused.hasLane());
  CHECK(lanesBeside() == 0);

  // Its control lane is opened to ask it, where it does not stand.
  f.served.clear();
  f.settle();
  CHECK(f.connect("demo").wait(f.scope).getOutcome().isAgentTooOld());

  // What is older is granted.
  auto request = f.supervisor().connectRequest();
  request.setName("demo");
  request.initWanted().setInteractive();
  auto connected = request.send().wait(f.scope);
  REQUIRE(connected.getOutcome().isConnected());
  auto lane = f.open(connected.getLane());
  lane->answer().wait(f.scope);
  CHECK(lanesBeside() == 1);
}

TEST_CASE(
    "S25 a lane to look at terminals has that right alone, and needs an agent that knows it") {
  Fixture f;
  f.serve();
  f.create("demo").wait(f.scope);
  auto request = f.supervisor().connectRequest();
  request.setName("demo");
  request.initWanted().setViewTerminals();
  auto connected = request.send().wait(f.scope);
  REQUIRE(connected.getOutcome().isConnected());
  auto lane = f.open(connected.getLane());
  lane->answer().wait(f.scope);
  auto& grant = f.served.back()->grants.back();
  CHECK(grant.purpose == rpc::Purpose::INTERACTIVE);
  CHECK(grant.verbs.has(rpc::Verb::VIEW_TERMINALS));
  CHECK_FALSE(grant.verbs.has(rpc::Verb::TERMINALS));
  CHECK_FALSE(grant.verbs.has(rpc::Verb::MACHINE));
  CHECK(oldestGenerationFor(grant, verbsSinceTheOldest()) == rpc::STATEFUL_TERMINALS);
}

TEST_CASE("S25 a lane for which the agent's generation cannot be learned is unreachable") {
  Fixture f;
  f.newerVerbs = NEWER;
  f.serve();
  f.create("demo").wait(f.scope);
  f.agentAnswers = false;
  f.served.clear();
  f.settle();
  auto connecting = f.connect("demo");
  f.settle();
  CHECK_FALSE(connecting.poll(f.scope));
  f.advance(HELLO_LIMIT);
  CHECK(connecting.wait(f.scope).getOutcome().isUnreachable());
}

}  // namespace
}  // namespace bothy
