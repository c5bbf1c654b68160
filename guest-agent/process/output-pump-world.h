#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/output-pump.h"
#include "process/test-world.h"

namespace bothy {

// A pipe as a program has it, whose sink takes nothing and ends nothing until it is let.
struct OutputPumpWorld {
  explicit OutputPumpWorld(size_t outputBytes = LEAST_OUTPUT_BYTES) : outputs(outputBytes) {
    signal(SIGPIPE, SIG_IGN);
    int ends[2];
    KJ_SYSCALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
    programs = kj::AutoCloseFd(ends[1]);
    collected.gate = writing.promise.fork();
    collected.endGate = ending.promise.fork();
    pump = kj::heap<OutputPump>(io.unixEventPort, timer, leftPipes, kj::AutoCloseFd(ends[0]),
                                ProgramMark(), collectInto(collected), outputs);
  }

  kj::AsyncIoContext io = setupTestIo();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  LeftPipes leftPipes{io.unixEventPort, timer};
  OutputBudget outputs;
  kj::PromiseFulfillerPair<void> writing = kj::newPromiseAndFulfiller<void>();
  kj::PromiseFulfillerPair<void> ending = kj::newPromiseAndFulfiller<void>();
  Collected collected;
  kj::AutoCloseFd programs;
  kj::Own<OutputPump> pump;

  void write(kj::StringPtr text) {
    KJ_ASSERT(::write(programs.get(), text.begin(), text.size()) == text.size());
    io.waitScope.poll();
  }
  // As much as the pipe takes, at most `most` bytes; how much that was.
  size_t fill(size_t most) {
    const kj::byte bytes[4096] = {};
    size_t written = 0;
    while (written < most) {
      ssize_t size = ::write(programs.get(), bytes, kj::min(sizeof(bytes), most - written));
      if (size < 0) {
        KJ_REQUIRE(errno == EAGAIN);
        break;
      }
      written += size;
    }
    return written;
  }
  void pass(kj::Duration time) {
    io.waitScope.poll();
    timer.advanceTo(timer.now() + time);
    io.waitScope.poll();
  }
  // The sink takes what it was given, and holds up what is next.
  void takeOne() {
    auto before = kj::mv(writing.fulfiller);
    writing = kj::newPromiseAndFulfiller<void>();
    collected.gate = writing.promise.fork();
    before->fulfill();
    io.waitScope.poll();
  }
  bool isEndCalled() {
    const bool isCalled = pump->onEndCalled().poll(io.waitScope);
    // The call is on its way to the sink.
    io.waitScope.poll();
    return isCalled;
  }
  bool isDone() { return pump->onDone().poll(io.waitScope); }
};

}  // namespace bothy
