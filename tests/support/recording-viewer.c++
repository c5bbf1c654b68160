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
  auto reason = status.getUsage().getOutOfMemory() > 0 ? " out of memory"_kj : ""_kj;
  switch (status.which()) {
    case rpc::ExitStatus::EXITED:
      return kj::str("exited ", status.getExited(), reason);
    case rpc::ExitStatus::KILLED:
      return kj::str("killed ", status.getKilled(), reason);
    case rpc::ExitStatus::LOST:
      return kj::str("lost");
    case rpc::ExitStatus::TIMED_OUT:
      return kj::str("timed out");
  }
  KJ_UNREACHABLE;
}

kj::Promise<void> RecordingViewer::onOutput(const OutputCursor::Piece& piece) {
  KJ_REQUIRE(piece.lost == 0 && piece.repeated == 0, "a byte was lost or doubled", piece.sequence);
  KJ_REQUIRE(record.exit == nullptr, "output after the exit");
  record.received += piece.fresh.size();
  record.screen.feed(piece.fresh);
  size_t room = record.keep - kj::min(record.keep, record.bytes.size());
  record.bytes.addAll(piece.fresh.slice(0, kj::min(room, piece.fresh.size())).asChars());
  return untilPace();
}

kj::Promise<void> RecordingViewer::onGap(uint64_t announced, uint64_t lost) {
  KJ_REQUIRE(announced == lost, "a gap out of order", announced, lost);
  record.lost += lost;
  ++record.gaps;
  return untilPace();
}

kj::Promise<void> RecordingViewer::onRedraw(rpc::TerminalViewer::RedrawParams::Reader redraw) {
  record.screen.feed(redraw.getData());
  if (redraw.getIsLast()) ++record.redraws;
  return untilPace();
}

void RecordingViewer::onResized(rpc::WindowSize::Reader size) {
  record.sizes.add(kj::str(size.getColumns(), "x", size.getRows()));
  changed();
}

void RecordingViewer::onExited(rpc::ExitStatus::Reader status) {
  KJ_REQUIRE(record.exit == nullptr, "told twice that it has ended");
  record.exit = describe(status);
  changed();
}

void RecordingViewer::changed() {
  KJ_IF_MAYBE (listener, record.changed) {
    (*listener)();
  }
}

kj::Promise<void> RecordingViewer::untilPace() {
  changed();
  KJ_IF_MAYBE (pace, record.pace) {
    return (*pace)();
  }
  return kj::READY_NOW;
}

}  // namespace bothy
