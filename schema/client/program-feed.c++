#include "client/program-feed.h"

#include <kj/debug.h>

#include "wire/rpc-network.h"

namespace bothy {
namespace {

constexpr size_t CHUNK_BYTES = 64 << 10;
// What is on its way, and so may not have been had, is at most the window of the stream's flow control and the
// message that overshoots it; beside it lies one chunk that is read.  A power of two above that.
constexpr size_t TAIL_BYTES = 512 << 10;
static_assert((WINDOW_MESSAGES + 3) * CHUNK_BYTES <= TAIL_BYTES);

}  // namespace

ProgramFeed::ProgramFeed() : tail(TAIL_BYTES) {}

void ProgramFeed::finish() {
  isWhole = true;
  changes.wakeAll();
}

kj::Promise<void> ProgramFeed::read(kj::AsyncInputStream& input) {
  auto buffer = kj::heapArray<kj::byte>(CHUNK_BYTES);
  for (;;) {
    while (sent < tail.end()) co_await changes.wait();
    size_t count = co_await input.tryRead(buffer.begin(), 1, buffer.size());
    if (count == 0) break;
    tail.append(buffer.slice(0, count));
    changes.wakeAll();
  }
  finish();
}

kj::Promise<void> ProgramFeed::sendTo(rpc::ByteSink::Client sink, uint64_t from) {
  KJ_REQUIRE(tail.begin() <= from && from <= tail.end(), "this input is not kept", from);
  sent = from;
  for (;;) {
    if (sent < tail.end()) {
      auto request = sink.writeRequest();
      auto size = kj::min(tail.end() - sent, CHUNK_BYTES);
      tail.copy(sent, request.initData(size));
      sent += size;
      changes.wakeAll();
      co_await request.send();
    } else if (isWhole) {
      co_await sink.endRequest().send();
      co_return;
    } else {
      co_await changes.wait();
    }
  }
}

}  // namespace bothy
