#include "process/programs.h"

#include <kj/debug.h>

namespace bothy {

Programs::Programs(kj::UnixEventPort& eventPort, kj::Timer& timer, Options optionsParam)
    : eventPort(eventPort),
      timer(timer),
      options(kj::mv(optionsParam)),
      outputs(options.outputBytes),
      reaper(eventPort, anybodys),
      spawner(eventPort, reaper, options.cgroupNamespace),
      trees(eventPort, touches, spawner,
            options.cgroupRoot.map([](const kj::String& path) { return path.asPtr(); })),
      users(options.etcDirectory),
      environments(options.etcDirectory),
      runtimeDirectories(options.runDirectory, touches),
      leftPipes(eventPort, timer),
      background(*this) {}

Programs::~Programs() noexcept(false) {}

void Programs::programDisposed() {
  if (--processCount > 0) return;
  allDisposed.wakeAll();
}

void Programs::programBegan(ProgramKind kind) {
  running.of(kind)++;
  KJ_IF_MAYBE (hearing, listener) hearing->runningChanged(running);
}

void Programs::programStopped(ProgramKind kind) {
  running.of(kind)--;
  KJ_IF_MAYBE (hearing, listener) hearing->runningChanged(running);
}

kj::Promise<void> Programs::onAllDisposed() {
  if (processCount == 0) return kj::READY_NOW;
  return allDisposed.wait();
}

void Programs::endStarts() {
  machineEnds = true;
  trees.endPrepared();
}

void Programs::runInBackground(kj::Promise<void> task) {
  background.add(kj::mv(task));
}

kj::Promise<void> Programs::onBackgroundIdle() {
  return background.onEmpty();
}

void Programs::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "ending a process failed", exception);
}

}  // namespace bothy
