#pragma once

#include "client/kept-terminal.h"

namespace bothy {

// What a viewer sees of a terminal: its output, with "<N>" where N bytes are lost, and redraws between "[" and "]".
struct TerminalRecorder: public KeptTerminal::Listener {
  kj::String text = kj::str();
  uint64_t next = 0;      // sequence number after the last byte
  uint64_t repeated = 0;  // bytes
  kj::Maybe<int> exitCode;
  kj::uint attachments = 0, losses = 0;
  kj::Vector<kj::String> news;  // beside the output
  kj::Maybe<rpc::Attachment::Client> attachment;
  bool isFull = false;  // there is room for no more

  kj::Promise<void> onOutput(const OutputCursor::Piece& piece) override {
    note(piece.lost);
    text = kj::str(text, piece.fresh.asChars());
    next = piece.sequence + piece.fresh.size();
    repeated += piece.repeated;
    if (isFull) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }
  kj::Promise<void> onGap(uint64_t announced, uint64_t lost) override {
    note(lost);
    if (isFull) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }
  kj::Promise<void> onRedraw(rpc::TerminalViewer::RedrawParams::Reader redraw) override {
    text = kj::str(text, "[", redraw.getData().asChars(), "]");
    if (isFull) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }
  void onResized(rpc::WindowSize::Reader size) override {}
  void onTitled(kj::StringPtr title) override { news.add(kj::str("title ", title)); }
  void onMoved(kj::StringPtr directory) override { news.add(kj::str("directory ", directory)); }
  void onRang() override { news.add(kj::str("bell")); }
  void onExited(rpc::ExitStatus::Reader status) override { exitCode = int{status.getExited()}; }
  void fillSize(rpc::Terminal::OptionalSize::Builder builder) override {
    auto size = builder.initSize();
    size.setColumns(100);
    size.setRows(30);
  }
  void onAttached(rpc::Attachment::Client attached) override {
    ++attachments;
    attachment = kj::mv(attached);
  }
  void onLost() override {
    ++losses;
    attachment = nullptr;
  }

private:
  void note(uint64_t lost) {
    if (lost > 0) text = kj::str(text, "<", lost, ">");
  }
};

}  // namespace bothy
