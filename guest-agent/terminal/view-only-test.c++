// Terminals that may only be looked at.

#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

// A terminal of somebody's, and one who may look at it.
struct ViewWorld: public TerminalTestWorld {
  Opened opened;
  Seen owned, seen;
  rpc::Attachment::Client owner;
  rpc::Terminals::Client viewed = terminals.viewRequest().send().wait(scope).getTerminals();
  rpc::Terminal::Client terminal = nullptr;

  explicit ViewWorld(kj::StringPtr script)
      : opened(open(script)), owner(attach(opened.terminal, owned, SIZE)) {
    auto get = viewed.getRequest();
    get.setId(opened.id);
    terminal = get.send().wait(scope).getTerminal();
  }
  template <typename Request>
  bool isRefused(Request request) {
    auto failure = kj::runCatchingExceptions([&]() { request.send().wait(scope); });
    KJ_IF_MAYBE (why, failure) return why->getType() == kj::Exception::Type::FAILED;
    return false;
  }
};

TEST_CASE(
    "S25 whoever may only look sees a terminal, and puts no byte on it, nor a signal or a size") {
  ViewWorld world("stty raw -echo; echo ready; head -c 1 | od -c; stty size");
  auto attachment = world.attach(world.terminal, world.seen);
  world.seen.until("ready").wait(world.scope);

  auto write = attachment.writeRequest();
  write.setData("evil"_kj.asBytes());
  // A stream tells its failure to the next call.
  auto failure = kj::runCatchingExceptions([&]() {
    write.send().wait(world.scope);
    world.resize(attachment, {20, 10});
  });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::FAILED);
  Seen other;
  auto second = world.attach(world.terminal, other);
  auto resize = second.resizeRequest();
  WindowSize{20, 10}.writeTo(resize.initSize());
  CHECK(world.isRefused(kj::mv(resize)));
  auto sized = world.attachRequest(world.terminal, other);
  WindowSize{20, 10}.writeTo(sized.initSize().initSize());
  CHECK(world.isRefused(kj::mv(sized)));
  auto signal = world.terminal.signalRequest();
  signal.setNumber(9);
  CHECK(world.isRefused(kj::mv(signal)));
  CHECK(world.isRefused(world.terminal.closeRequest()));
  auto open = world.viewed.openRequest();
  setShell(open.initCommand(), "echo > ~/evil");
  TerminalTestWorld::SIZE.writeTo(open.initSize());
  CHECK(world.isRefused(kj::mv(open)));
  // What nothing here says of.
  CHECK(world.isRefused(world.terminal.obsoleteResizeRequest()));
  // Nor by looking at what may be looked at.
  auto again = world.viewed.viewRequest().send().wait(world.scope).getTerminals().openRequest();
  CHECK(world.isRefused(kj::mv(again)));

  world.type(world.owner, "k");
  world.owned.until("").wait(world.scope);
  CHECK(world.owned.has("   k"));
  CHECK(world.owned.has("43 132"));
  CHECK(world.terminal.waitRequest().send().wait(world.scope).getStatus().getExited() == 0);
  CHECK(world.viewed.listRequest().send().wait(world.scope).getTerminals().size() == 1);
  world.seen.until("").wait(world.scope);
  other.until("").wait(world.scope);
}

TEST_CASE("S25 whoever may only look holds nothing back, alone or beside others") {
  ViewWorld world("read x; head -c 5000000 /dev/zero; echo end; read x");
  auto gate = kj::newPromiseAndFulfiller<void>();
  world.seen.gate = gate.promise.fork();
  auto attachment = world.attach(world.terminal, world.seen);
  world.type(world.owner, "\n");
  bool isAlone = false;
  SECTION("beside others") {}
  SECTION("alone") {
    isAlone = true;
    world.owner = nullptr;
  }
  auto produced = [&]() {
    return world.opened.terminal.infoRequest().send().wait(world.scope).getInfo().getProduced();
  };
  while (produced() < 5000000) kj::evalLater([]() {}).wait(world.scope);
  gate.fulfiller->fulfill();
  world.seen.until("end").wait(world.scope);
  CHECK(world.seen.lost > 0);
  CHECK(world.owned.lost == 0);
  if (isAlone) return;
  world.owned.until("end").wait(world.scope);
  CHECK(world.owned.bytes.size() >= 5000000);
}

TEST_CASE("S25 onlookers leave places for those who work") {
  ViewWorld world("read x");
  kj::Vector<rpc::Attachment::Client> onlookers;
  Seen seen[rpc::MAX_ONLOOKERS + 1];
  for (kj::uint i = 0; i < rpc::MAX_ONLOOKERS; ++i) {
    onlookers.add(world.attach(world.terminal, seen[i]));
  }
  auto failure =
      kj::runCatchingExceptions([&]() { world.attach(world.terminal, seen[rpc::MAX_ONLOOKERS]); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::OVERLOADED);
  Seen other;
  auto attachment = world.attach(world.opened.terminal, other);
}

TEST_CASE(
    "S01 whoever may only look, and does not answer, keeps nothing of terminals that are over") {
  auto onlookers = kj::heapArray<Seen>(LEFT_TERMINALS + 1);
  TerminalTestWorld world;
  KJ_DEFER(for (auto& onlooker : onlookers) onlooker.gate = nullptr);
  auto viewed = world.terminals.viewRequest().send().wait(world.scope).getTerminals();
  auto gate = kj::newPromiseAndFulfiller<void>();
  auto shut = gate.promise.fork();
  kj::Vector<rpc::Attachment::Client> attachments;
  kj::Vector<TerminalTestWorld::Opened> held;
  for (auto& onlooker : onlookers) {
    onlooker.gate = shut.addBranch().fork();
    held.add(world.open("head -c 900000 /dev/zero; exit 5"));
    auto get = viewed.getRequest();
    get.setId(held.back().id);
    attachments.add(world.attach(get.send().wait(world.scope).getTerminal(), onlooker));
    CHECK(held.back().terminal.waitRequest().send().wait(world.scope).getStatus().getExited() == 5);
    held.back().terminal.closeRequest().send().wait(world.scope);
  }
  Seen owner;
  auto request = world.attachRequest(held[0].terminal, owner);
  request.getFrom().setSequence(0);
  auto attached = request.send().wait(world.scope);
  owner.until("").wait(world.scope);
  CHECK(owner.lost == 900000);
}

}  // namespace
}  // namespace bothy
