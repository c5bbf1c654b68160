#include "process/input-sink.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/stream-order.h"

namespace bothy {

namespace {

class InputSink final: public rpc::ByteSink::Server {
public:
  InputSink(kj::Own<ProgramInput> inputParam, WhenDropped whenDropped)
      : input(kj::mv(inputParam)), writer(input->takeOver()), whenDropped(whenDropped) {}
  ~InputSink() noexcept(false) {
    if (whenDropped == WhenDropped::CLOSE) input->close();
  }

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    KJ_REQUIRE(data.size() <= rpc::MAX_CHUNK_BYTES, "chunk too large", data.size());
    order.begin();
    return order.endAfter(input->write(writer, data));
  }

  kj::Promise<void> end(EndContext context) override {
    order.requireUnbroken();
    input->end(writer);
    return kj::READY_NOW;
  }

private:
  kj::Own<ProgramInput> input;
  const uint64_t writer;
  const WhenDropped whenDropped;
  StreamOrder order;
};

}  // namespace

rpc::ByteSink::Client newInputSink(kj::Own<ProgramInput> input, WhenDropped whenDropped) {
  return kj::heap<InputSink>(kj::mv(input), whenDropped);
}

}  // namespace bothy
