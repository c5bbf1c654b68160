#include "lane/lane-grant.h"

#include <capnp/message.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using Purpose = rpc::Purpose;
using Refusal = rpc::Refusal;
using Verb = rpc::Verb;

// A grant that can be had; the tests change one thing.
struct Wanted {
  capnp::MallocMessageBuilder message;
  rpc::Grant::Builder grant = message.initRoot<rpc::Grant>();

  Wanted() {
    grant.setLane(1);
    grant.setPurpose(Purpose::INTERACTIVE);
    setVerbs({Verb::TERMINALS});
    grant.getLifetime().setUnlimited();
  }
  void setVerbs(std::initializer_list<Verb> verbs) {
    auto list = grant.initVerbs(verbs.size());
    uint i = 0;
    for (auto verb : verbs) list.set(i++, verb);
  }
  auto parse() { return LaneGrant::parse(grant.asReader()); }
  Refusal refusal() { return parse().get<Refusal>(); }
};

TEST_CASE("a grant is the same after it was written and read") {
  LaneGrant grant;
  grant.lane = 42;
  grant.purpose = Purpose::FILES;
  grant.session = kj::str("a session");
  grant.actor = kj::str("somebody");
  grant.user = kj::str("root");
  grant.verbs = {Verb::READ_FILES};
  grant.lifetime = 5 * kj::SECONDS;
  grant.allLanes = true;
  capnp::MallocMessageBuilder message;
  auto written = message.initRoot<rpc::Grant>();
  grant.writeTo(written);
  auto parsed = LaneGrant::parse(written.asReader());
  auto& read = parsed.get<LaneGrant>();
  CHECK(read.lane == 42);
  CHECK(read.purpose == Purpose::FILES);
  CHECK(read.session == "a session");
  CHECK(read.actor == "somebody");
  CHECK(read.user == "root");
  CHECK(read.verbs.has(Verb::READ_FILES));
  CHECK_FALSE(read.verbs.has(Verb::WRITE_FILES));
  CHECK(KJ_ASSERT_NONNULL(read.lifetime) == 5 * kj::SECONDS);
  CHECK(read.allLanes);
}

TEST_CASE("S25 what a grant does not say is no right") {
  CHECK(Wanted().parse().is<LaneGrant>());
  Wanted nothing;
  nothing.setVerbs({});
  CHECK(nothing.refusal() == Refusal::NOTHING_GRANTED);
  Wanted unused;
  unused.setVerbs({Verb::NONE});
  CHECK(unused.refusal() == Refusal::NOTHING_GRANTED);
  Wanted noPurpose;
  noPurpose.grant.setPurpose(Purpose::NONE);
  CHECK(noPurpose.refusal() == Refusal::NOTHING_GRANTED);
  Wanted noLifetime;
  noLifetime.grant.getLifetime().setNone();
  CHECK(noLifetime.refusal() == Refusal::NOTHING_GRANTED);
  Wanted shortLife;
  shortLife.grant.getLifetime().setMillis(0);
  CHECK(shortLife.refusal() == Refusal::NOTHING_GRANTED);
}

TEST_CASE("S25 what this build does not know or does not serve is no right, and takes none away") {
  Wanted later;
  later.setVerbs({static_cast<Verb>(1000)});
  CHECK(later.refusal() == Refusal::NOTHING_GRANTED);
  Wanted strange;
  strange.grant.setPurpose(static_cast<Purpose>(1000));
  CHECK(strange.refusal() == Refusal::NOTHING_GRANTED);
  Wanted beneath;
  beneath.grant.setPurpose(Purpose::FILES);
  beneath.setVerbs({Verb::READ_BENEATH, Verb::WRITE_BENEATH});
  CHECK(beneath.refusal() == Refusal::NOTHING_GRANTED);

  Wanted both;
  both.setVerbs({static_cast<Verb>(1000), Verb::TERMINALS});
  CHECK(both.parse().get<LaneGrant>().verbs.has(Verb::TERMINALS));
}

TEST_CASE("S25 rights to one directory need the directory, and add nothing to those to all files") {
  Wanted wanted;
  wanted.grant.setPurpose(Purpose::FILES);
  wanted.setVerbs({Verb::READ_BENEATH, Verb::WRITE_BENEATH});
  CHECK(wanted.refusal() == Refusal::NOTHING_GRANTED);
  wanted.grant.setBeneath("/srv/data"_kj.asBytes());
  auto parsed = wanted.parse();
  auto& beneath = parsed.get<LaneGrant>();
  CHECK(beneath.isBeneath());
  CHECK(beneath.verbs.has(Verb::WRITE_BENEATH));
  CHECK(beneath.beneath == "/srv/data"_kj.asBytes());
  capnp::MallocMessageBuilder message;
  auto written = message.initRoot<rpc::Grant>();
  beneath.writeTo(written);
  auto read = LaneGrant::parse(written.asReader());
  CHECK(read.get<LaneGrant>().beneath == beneath.beneath);

  wanted.setVerbs({Verb::READ_FILES, Verb::WRITE_BENEATH});
  auto both = wanted.parse();
  CHECK(both.get<LaneGrant>().verbs.has(Verb::READ_FILES));
  CHECK_FALSE(both.get<LaneGrant>().verbs.has(Verb::WRITE_FILES));
  CHECK_FALSE(both.get<LaneGrant>().isBeneath());

  wanted.setVerbs({Verb::READ_BENEATH});
  auto path = kj::heapArray<kj::byte>(rpc::MAX_BENEATH_BYTES + 1);
  for (auto& b : path) b = 'x';
  wanted.grant.setBeneath(path.slice(0, rpc::MAX_BENEATH_BYTES));
  CHECK(wanted.parse().is<LaneGrant>());
  wanted.grant.setBeneath(path);
  CHECK(wanted.refusal() == Refusal::NOT_UNDERSTOOD);
  wanted.grant.setPurpose(Purpose::COMMANDS);
  wanted.grant.setBeneath("/"_kj.asBytes());
  CHECK(wanted.refusal() == Refusal::NOTHING_GRANTED);
}

TEST_CASE("S08 a greeting has room for all that a grant may name") {
  auto text = [](size_t size) {
    auto result = kj::heapString(size);
    for (auto& c : result) c = 'x';
    return result;
  };
  LaneGrant grant;
  grant.lane = 1;
  grant.purpose = Purpose::FILES;
  grant.session = text(rpc::MAX_LANE_NAME_BYTES);
  grant.actor = text(rpc::MAX_LANE_NAME_BYTES);
  grant.user = text(rpc::MAX_LANE_NAME_BYTES);
  grant.beneath = kj::heapArray<const kj::byte>(text(rpc::MAX_BENEATH_BYTES).asBytes());
  for (uint16_t i = 0; i <= static_cast<uint16_t>(Verb::CONTROL); ++i) {
    grant.verbs.add(static_cast<Verb>(i));
  }
  capnp::MallocMessageBuilder message;
  grant.writeTo(message.initRoot<rpc::Grant>());
  CHECK(message.sizeInWords() < rpc::MAX_GREETING_WORDS);
}

TEST_CASE("S25 a purpose offers its own rights and no others") {
  Wanted wanted;
  wanted.setVerbs({Verb::MACHINE, Verb::TERMINALS, Verb::VIEW_TERMINALS, Verb::PROGRAMS,
                   Verb::READ_FILES, Verb::WRITE_FILES, Verb::CONTROL});
  auto verbsOf = [&](Purpose purpose) {
    wanted.grant.setPurpose(purpose);
    return wanted.parse().get<LaneGrant>().verbs;
  };
  CHECK(verbsOf(Purpose::INTERACTIVE).has(Verb::TERMINALS));
  CHECK(verbsOf(Purpose::INTERACTIVE).has(Verb::VIEW_TERMINALS));
  CHECK_FALSE(verbsOf(Purpose::COMMANDS).has(Verb::VIEW_TERMINALS));
  CHECK_FALSE(verbsOf(Purpose::INTERACTIVE).has(Verb::PROGRAMS));
  CHECK(verbsOf(Purpose::COMMANDS).has(Verb::PROGRAMS));
  CHECK_FALSE(verbsOf(Purpose::COMMANDS).has(Verb::TERMINALS));
  CHECK(verbsOf(Purpose::FILES).has(Verb::WRITE_FILES));
  CHECK_FALSE(verbsOf(Purpose::FILES).has(Verb::MACHINE));
  for (auto purpose : {Purpose::INTERACTIVE, Purpose::COMMANDS, Purpose::FILES}) {
    CHECK_FALSE(verbsOf(purpose).has(Verb::CONTROL));
  }
  CHECK(verbsOf(Purpose::CONTROL).has(Verb::CONTROL));
}

TEST_CASE("S08 names of a grant are short and of one line") {
  Wanted wanted;
  wanted.grant.setSession("two\nlines");
  CHECK(wanted.refusal() == Refusal::NOT_UNDERSTOOD);
  Wanted longName;
  auto text = kj::heapString(rpc::MAX_LANE_NAME_BYTES + 1);
  for (auto& c : text) c = 'x';
  longName.grant.setActor(text);
  CHECK(longName.refusal() == Refusal::NOT_UNDERSTOOD);
  Wanted noNumber;
  noNumber.grant.setLane(0);
  CHECK(noNumber.refusal() == Refusal::NOT_UNDERSTOOD);
}

}  // namespace
}  // namespace bothy
