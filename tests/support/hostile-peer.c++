#include "support/hostile-peer.h"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>

#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// Written at once.
constexpr size_t BATCH_BYTES = 256 * 1024;

}  // namespace

HostilePeer::HostilePeer(kj::AsyncIoStream& stream, AttackPlan plan)
    : stream(stream), plan(plan), messages(plan) {}

kj::Promise<void> HostilePeer::attack() {
  try {
    if (plan.part == AttackerPart::AGENT || plan.part == AttackerPart::CONTROL) {
      auto welcome = kj::heap<capnp::MallocMessageBuilder>();
      welcome->initRoot<rpc::Welcome>().setGeneration(rpc::GENERATION);
      co_await writeGreeting(stream, kj::mv(welcome));
    }
    if (plan.attack == Attack::ANSWERS) {
      co_await answerAll();
    } else {
      auto reading = plan.reads ? readAll() : kj::Promise<void>(kj::NEVER_DONE);
      co_await write().exclusiveJoin(kj::mv(reading));
    }
  } catch (...) {
    // The connection is over.
  }
}

kj::Promise<void> HostilePeer::write() {
  kj::Vector<kj::byte> batch;
  messages.begin(batch);
  for (;;) {
    while (batch.size() < BATCH_BYTES) messages.next(batch);
    co_await stream.write(batch.begin(), batch.size());
    batch.clear();
  }
}

kj::Promise<void> HostilePeer::readAll() {
  auto buffer = kj::heapArray<kj::byte>(BATCH_BYTES);
  while (co_await stream.tryRead(buffer.begin(), 1, buffer.size()) > 0) {
  }
}

kj::Promise<void> HostilePeer::answerAll() {
  using Message = capnp::rpc::Message;
  kj::Vector<kj::byte> answer;
  for (;;) {
    auto message = co_await capnp::readMessage(stream);
    auto root = message->getRoot<Message>();
    if (!root.isCall() && !root.isBootstrap()) continue;
    answer.clear();
    messages.answer(
        root.isCall() ? root.getCall().getQuestionId() : root.getBootstrap().getQuestionId(),
        answer);
    co_await stream.write(answer.begin(), answer.size());
  }
}

}  // namespace bothy
