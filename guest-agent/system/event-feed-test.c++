#include "system/event-feed.h"

#include <capnp/message.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("P41 events of all kinds have one row of numbers, and the last are kept") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  EventFeed feed;
  auto first = feed.onEventAfter(0);
  CHECK_FALSE(first.poll(scope));
  feed.tellLane(7, rpc::AgentEvent::What::ORDERED);
  first.wait(scope);
  feed.programEnded(
      {42, ProgramKind::TERMINAL, kj::str("-bash"), {ExitStatus::Kind::KILLED, 9, Usage{1, 2, 3}}});
  feed.tell(EventFeed::OutOfMemory{43, kj::str("dd"), 42});
  feed.tell(EventFeed::DiskUse{9, 10});
  feed.tell(EventFeed::PortChange{ListenerWatch::Change::OPENED, {8080, true}});
  const auto now = kj::systemPreciseMonotonicClock().now();
  feed.tell(Activity{now - 3 * kj::SECONDS, {.commands = 2, .terminals = 1}});
  REQUIRE(feed.events().size() == 6);
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<rpc::AgentControl::EventsResults>().initEvents(6);
  for (kj::uint i = 0; i < 6; i++) feed.events()[i].writeTo(list[i], now + 2 * kj::SECONDS);
  auto told = list.asReader();
  for (kj::uint i = 0; i < 6; i++) CHECK(told[i].getNumber() == i + 1);
  REQUIRE(told[0].isLaneEnded());
  CHECK(told[0].getLane() == 7);
  REQUIRE(told[1].isProgramEnded());
  auto program = told[1].getProgramEnded();
  CHECK(program.getKind() == rpc::ProgramEnded::Kind::TERMINAL);
  CHECK(program.getName() == "-bash");
  CHECK(program.getStatus().getKilled() == 9);
  CHECK(program.getStatus().getUsage().getOutOfMemory() == 3);
  REQUIRE(told[2].isOutOfMemory());
  CHECK(told[2].getOutOfMemory().getProgram() == 42);
  REQUIRE(told[3].isDiskFilling());
  REQUIRE(told[4].isPortOpened());
  CHECK(told[4].getPortOpened().getNumber() == 8080);
  CHECK(told[4].getPortOpened().getLoopback());
  REQUIRE(told[5].isActivity());
  CHECK(told[5].getActivity().getInput().getSinceMillis() == 5000);
  CHECK(told[5].getActivity().getCommands() == 2);
  CHECK(told[5].getActivity().getTerminals() == 1);

  feed.forget(3);
  CHECK(feed.events().front().number == 4);
  for (kj::uint i = 0; i < rpc::MAX_AGENT_EVENTS; i++) feed.tell(EventFeed::DiskUse{9, 10});
  // The port that was opened is beside them.
  CHECK(feed.events().size() == rpc::MAX_AGENT_EVENTS + 1);
  CHECK(feed.events().back().number == feed.newestEvent());
}

EventFeed::PortChange changed(uint16_t number, ListenerWatch::Change change) {
  return {change, {number, false}};
}

TEST_CASE("S01 ports that a program opens and closes without end drive out nothing else") {
  using Change = ListenerWatch::Change;
  EventFeed feed;
  feed.tellLane(7, rpc::AgentEvent::What::ENDED);
  for (int i = 0; i < 1000; i++) {
    feed.tell(changed(8080, i % 2 == 0 ? Change::OPENED : Change::CLOSED));
  }
  REQUIRE(feed.events().size() == 2);
  CHECK(feed.newestEvent() == 2);
  CHECK(feed.events()[1].kind.get<EventFeed::PortChange>().change == Change::CLOSED);
  for (uint16_t i = 1; i <= 1000; i++) feed.tell(changed(i, Change::OPENED));
  CHECK(feed.events().size() == 1 + rpc::MAX_PORT_EVENTS);
  CHECK(feed.events().front().lane == 7);
  for (uint16_t i = 1; i <= 3; i++) feed.tellLane(7 + i, rpc::AgentEvent::What::ENDED);
  for (uint16_t i = 1; i <= 1000; i++) feed.tell(changed(i, Change::CLOSED));
  CHECK(feed.events().size() == 4 + rpc::MAX_PORT_EVENTS);
  for (uint16_t i = 1; i <= rpc::MAX_AGENT_EVENTS; i++) feed.tell(EventFeed::DiskUse{i, 10});
  CHECK(feed.events().size() == rpc::MAX_AGENT_EVENTS + rpc::MAX_PORT_EVENTS);
  uint64_t before = 0;
  for (auto& event : feed.events()) {
    CHECK(event.number > before);
    before = event.number;
  }
}

TEST_CASE("of the activity only the last is kept that nobody has fetched") {
  EventFeed feed;
  for (kj::uint i = 1; i <= 3; i++) feed.tell(Activity{nullptr, {.commands = i}});
  REQUIRE(feed.events().size() == 1);
  CHECK(feed.events()[0].kind.get<Activity>().running.commands == 3);
}

TEST_CASE("who asks for the first time is told of the activity, also where another knows of it") {
  EventFeed feed;
  feed.tell(EventFeed::DiskUse{1, 10});
  feed.tell(Activity{nullptr, {.commands = 1}});
  CHECK(feed.lastActivity() == nullptr);
  feed.tell(EventFeed::DiskUse{2, 10});
  feed.tell(EventFeed::DiskUse{3, 10});
  feed.noteFetch();
  feed.forget(3);
  auto check = [&](uint64_t number) {
    auto last = feed.lastActivity();
    auto& event = KJ_REQUIRE_NONNULL(last);
    CHECK(event.number == number);
    CHECK(event.kind.get<Activity>().running.commands == 1);
  };
  check(3);
  feed.forget(4);
  check(4);
}

TEST_CASE("what takes the place of an event is told in the order in which it happened") {
  using Change = ListenerWatch::Change;
  EventFeed feed;
  feed.tellLane(7, rpc::AgentEvent::What::ENDED);
  feed.tell(changed(8080, Change::OPENED));
  feed.tell(changed(8081, Change::OPENED));
  feed.tell(changed(8080, Change::CLOSED));
  REQUIRE(feed.events().size() == 3);
  CHECK(feed.events()[1].kind.get<EventFeed::PortChange>().port.number == 8081);
  CHECK(feed.events()[2].kind.get<EventFeed::PortChange>().port.number == 8080);
  for (kj::uint i = 0; i < 3; i++) CHECK(feed.events()[i].number == i + 1);
  CHECK(feed.newestEvent() == 3);
}

TEST_CASE("what has happened to a port since it was fetched is an event of its own") {
  using Change = ListenerWatch::Change;
  EventFeed feed;
  feed.tell(changed(8080, Change::OPENED));
  feed.noteFetch();
  feed.tell(changed(8080, Change::CLOSED));
  REQUIRE(feed.events().size() == 2);
  CHECK(feed.events()[0].kind.get<EventFeed::PortChange>().change == Change::OPENED);
  feed.forget(1);
  feed.tell(changed(8080, Change::OPENED));
  REQUIRE(feed.events().size() == 1);
  CHECK(feed.events()[0].number == 2);
  CHECK(feed.events()[0].kind.get<EventFeed::PortChange>().change == Change::OPENED);
}

}  // namespace
}  // namespace bothy
