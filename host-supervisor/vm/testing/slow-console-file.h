#pragma once

#include <kj/mutex.h>
#include <kj/refcount.h>

#include <map>
#include <string>

#include "vm/console-file.h"

namespace bothy {

// A disk in memory for the files of consoles, that hangs when it is told to.  Used by any thread.
class SlowDisk final: public kj::AtomicRefcounted {
public:
  kj::Own<ConsoleFile> open(kj::StringPtr name) const {
    return kj::heap<File>(kj::atomicAddRef(*this), name);
  }

  // Each write from here on waits until the disk goes on.
  void hang() const { state.lockExclusive()->hangs = true; }
  void goOn() const { state.lockExclusive()->hangs = false; }
  // For so many writes, of those that hang first.
  void goOnFor(kj::uint writes) const { state.lockExclusive()->free += writes; }
  // Until a write hangs.
  void awaitHang() const {
    state.lockExclusive().wait([](const State& state) { return state.hanging > 0; });
  }
  // Each write from here on fails.
  void breakDown() const { state.lockExclusive()->isBroken = true; }
  // Until so many files are closed.
  void awaitClosed(kj::uint count) const {
    state.lockExclusive().wait([count](const State& state) { return state.closed >= count; });
  }

  // What a file has, "<N>" where N bytes are lost.
  std::string text(const char* name) const { return state.lockExclusive()->texts[name]; }

private:
  struct State {
    std::map<std::string, std::string> texts;
    bool hangs = false;
    kj::uint free = 0;  // writes, though it hangs
    bool isBroken = false;
    kj::uint hanging = 0;
    kj::uint closed = 0;
  };
  kj::MutexGuarded<State> state;

  class File final: public ConsoleFile {
  public:
    File(kj::Own<const SlowDisk> disk, kj::StringPtr name)
        : disk(kj::mv(disk)), name(name.cStr()) {}
    ~File() noexcept(false) { ++disk->state.lockExclusive()->closed; }
    KJ_DISALLOW_COPY_AND_MOVE(File);

    void append(kj::ArrayPtr<const kj::byte> bytes) override {
      write(std::string(bytes.begin(), bytes.end()));
    }
    void lose(uint64_t bytes) override { write("<" + std::to_string(bytes) + ">"); }
    kj::Array<kj::byte> end() override {
      auto text = disk->text(name.c_str());
      return kj::heapArray(kj::arrayPtr(text.data(), text.size()).asBytes());
    }

  private:
    kj::Own<const SlowDisk> disk;
    const std::string name;

    void write(const std::string& text) {
      auto state = disk->state.lockExclusive();
      ++state->hanging;
      state.wait([](const State& state) { return !state.hangs || state.free > 0; });
      if (state->hangs) --state->free;
      --state->hanging;
      KJ_REQUIRE(!state->isBroken, "the disk is broken");
      state->texts[name] += text;
    }
  };
};

}  // namespace bothy
