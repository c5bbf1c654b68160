#pragma once

#include "crash/crash-point.h"
#include "workspace/workspace.h"

namespace bothy {

// The world as it is, with a crash point before, within and after each effect that workspaces have on it.
// Reading has none.
class CrashingWorld final {
public:
  explicit CrashingWorld(World inner);
  ~CrashingWorld() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(CrashingWorld);

  World get();

private:
  class CrashingStore;
  class CrashingKeys;
  class CrashingVolumes;
  class CrashingDriver;
  class CrashingFiles;

  CrashPoint point;
  World inner;
  kj::Own<CrashingStore> store;
  kj::Own<CrashingKeys> keys;
  kj::Own<CrashingVolumes> volumes;
  kj::Own<CrashingDriver> driver;
  kj::Own<CrashingFiles> files;
};

}  // namespace bothy
