#include "support/recording-viewer.h"

#include <kj/debug.h>

namespace bothy {

kj::StringPtr TerminalRecord::tail(size_t length) {
  size_t size = bytes.size();
  size_t from = size > length ? size - length : 0;
  tailCopy = kj::heapString(bytes.begin() + from, size - from);
  return tailCopy;
}

kj::String describe(rpc::ExitStatus::Reader status) {
  switch (status.which()) {
    case rpc::ExitStatus::EXITED:
      return kj::str("exited ", status.getExited());
    case rpc::ExitStatus::KILLED:
      return kj::str("killed ", status.getKilled());
    case rpc::ExitStatus::LOST:
      return kj::str("lost");
    case rpc::ExitStatus::TIMED_OUT:
      return kj::str("timed out");
  }
  KJ_UNREACHABLE;
}

namespace {

class RecordingViewer final: public rpc::TerminalViewer::Server {
public:
  explicit RecordingViewer(TerminalRecord& record) : record(record) {}

  kj::Promise<void> output(OutputContext context) override {
    auto params = context.getParams();
    auto data = params.getData();
    KJ_REQUIRE(params.getSequence() == record.next, "a byte was lost or doubled", record.next);
    KJ_REQUIRE(record.exit == nullptr, "output after the exit");
    record.next += data.size();
    record.received += data.size();
    record.screen.feed(data);
    size_t room = record.keep - kj::min(record.keep, record.bytes.size());
    record.bytes.addAll(data.slice(0, kj::min(room, data.size())).asChars());
    return done();
  }

  kj::Promise<void> gap(GapContext context) override {
    auto params = context.getParams();
    KJ_REQUIRE(params.getSequence() == record.next, "a gap out of order", record.next);
    record.next += params.getLost();
    record.lost += params.getLost();
    ++record.gaps;
    return done();
  }

  kj::Promise<void> resized(ResizedContext context) override {
    auto size = context.getParams().getSize();
    record.sizes.add(kj::str(size.getColumns(), "x", size.getRows()));
    return done();
  }

  kj::Promise<void> exited(ExitedContext context) override {
    KJ_REQUIRE(record.exit == nullptr, "told twice that it has ended");
    record.exit = describe(context.getParams().getStatus());
    return done();
  }

private:
  TerminalRecord& record;

  kj::Promise<void> done() {
    KJ_IF_MAYBE (changed, record.changed) {
      (*changed)();
    }
    KJ_IF_MAYBE (pace, record.pace) {
      return (*pace)();
    }
    return kj::READY_NOW;
  }
};

}  // namespace

rpc::TerminalViewer::Client newRecordingViewer(TerminalRecord& record) {
  return kj::heap<RecordingViewer>(record);
}

}  // namespace bothy
