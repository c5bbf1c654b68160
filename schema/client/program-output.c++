#include "client/program-output.h"

#include <kj/debug.h>

#include "wire/stream-order.h"

namespace bothy {
namespace {

// Received but not written yet; beyond it the program is held back.
constexpr size_t MAX_WAITING_BYTES = 256 << 10;
constexpr size_t WRITE_BYTES = 64 << 10;

}  // namespace

class ProgramOutput::Sink final: public rpc::ByteSink::Server {
public:
  Sink(ProgramOutput& output, uint64_t number) : output(output), number(number) {}

  kj::Promise<void> write(WriteContext context) override {
    requireLast();
    order.begin();
    auto data = context.getParams().getData();
    requireRoom(data.size());
    output.waiting.push(data);
    output.received += data.size();
    return order.endAfter(output.waiting.whenBelow(MAX_WAITING_BYTES));
  }
  kj::Promise<void> gap(GapContext context) override {
    requireLast();
    order.requireUnbroken();
    const auto lost = context.getParams().getLost();
    requireRoom(lost);
    output.received += lost;
    output.lostBytes += lost;
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override {
    requireLast();
    order.requireUnbroken();
    output.end->fulfill();
    return kj::READY_NOW;
  }

private:
  ProgramOutput& output;
  const uint64_t number;
  StreamOrder order;

  // A sink that fails has ended: nothing more comes.
  void requireRoom(uint64_t bytes) {
    output.tooMuch = output.tooMuch || bytes > output.maxBytes - output.received;
    if (output.isClosed || output.tooMuch) output.end->fulfill();
    // The program is to learn that its reader is gone, as from a pipe.
    KJ_REQUIRE(!output.isClosed, "nobody reads this output any more");
    KJ_REQUIRE(!output.tooMuch, "more comes than may be taken");
  }

  void requireLast() {
    if (number == output.sinks) return;
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "another sink takes this output"));
  }
};

rpc::ByteSink::Client ProgramOutput::newSink() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  ended = paf.promise.fork();
  end = kj::mv(paf.fulfiller);
  return kj::heap<Sink>(*this, ++sinks);
}

kj::Promise<void> ProgramOutput::show() {
  KJ_ON_SCOPE_FAILURE(isClosed = true);
  for (;;) {
    auto bytes = co_await waiting.take(WRITE_BYTES);
    if (bytes.size() == 0) co_return;
    co_await stream.write(bytes.begin(), bytes.size());
  }
}

}  // namespace bothy
